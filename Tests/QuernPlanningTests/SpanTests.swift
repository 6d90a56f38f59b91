import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Whatever the model: spans cover it exactly, fit their limits, and do not depend on the targets.
@Suite struct SpanTests {
    private static func model(seed: UInt64) -> SourceModel {
        var random = SeededGenerator(seed: seed)
        let types: [ElementType] = [.f32, .f16, .bf16]
        let tensors = (0..<Int.random(in: 1...40, using: &random)).map { index in
            let columns = 32 * Int.random(in: 1...400, using: &random)
            let head = [2, 64, 128][Int.random(in: 0...2, using: &random)]
            let pieces = Int.random(in: 1...5, using: &random)
            let heads = pieces * Int.random(in: 1...40, using: &random)
            let type = types[Int.random(in: 0...2, using: &random)]
            switch index % 4 {
            case 0:
                return TestSources.Tensor(
                    name: "blk.\(index).attn_q.weight", shape: [columns, head * heads], type: type,
                    interleaved: head, pieces: pieces)
            case 1:
                return TestSources.Tensor(
                    name: "blk.\(index).attn_q.bias", shape: [head * heads], type: type,
                    interleaved: head, fixedType: .f32)
            case 2:
                return TestSources.Tensor(
                    name: "blk.\(index).ffn_up_exps.weight", shape: [columns, head, heads], type: type, pieces: pieces)
            default:
                return TestSources.Tensor(name: "blk.\(index).attn_norm.weight", shape: [columns], type: .f32)
            }
        }
        return TestSources.model(tensors, metadata: [("llama.block_count", .uint32(40))])
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func spansCoverEveryRowOnce(seed: UInt64) throws {
        let source = Self.model(seed: seed)
        let plan = try TestSources.plan([.init(gguf: "F32"), .init(gguf: "Q8_0")], of: source)
        try #require(plan.refusals.isEmpty)
        var rows: [String: Int] = [:]
        var read: [String: [Extent]] = [:]
        for work in plan.encodeWork {
            #expect(Set(work.files.map(\.name)).count == work.files.count)
            for span in work.spans {
                #expect(span.firstRow == rows[span.tensor, default: 0])
                rows[span.tensor, default: 0] += span.rows
                #expect(span.rows > 0)
                let bytes = span.sourceType.bytes(elements: span.columns * span.rows) ?? 0
                #expect(UInt64(bytes) == span.extents.reduce(0) { $0 + $1.length })
                for output in span.outputs {
                    let part = output.encoding.bytes(rows: span.rows, columns: span.columns) ?? .max
                    #expect(part <= maximumBlobBytes)
                }
                read[span.tensor, default: []] += span.extents.map { Self.global($0, in: work, source) }
            }
        }
        for tensor in source.tensors {
            #expect(rows[tensor.name] == tensor.rows)
            #expect(Self.joined(read[tensor.name] ?? []) == Self.joined(tensor.extents))
        }
        #expect(plan.blobs.values.allSatisfy { $0.count <= maximumBlobBytes })
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func targetsDoNotMoveSpans(seed: UInt64) throws {
        let source = Self.model(seed: seed)
        func cuts(_ targets: [Recipe.Target]) throws -> [[String]] {
            try TestSources.plan(targets, of: source).encodeWork.map { work in
                work.spans.map { "\($0.tensor) \($0.firstRow) \($0.rows)" }
            }
        }
        #expect(try cuts([.init(gguf: "Q8_0")]) == cuts([.init(gguf: "F32"), .init(gguf: "BF16")]))
    }

    /// A model of half a terabyte: spans are at their largest, and items are as few as they can be.
    @Test func largeModels() throws {
        let tensors = (0..<60).flatMap { block in
            ["ffn_up_exps", "ffn_gate_exps", "ffn_down_exps"].map {
                TestSources.Tensor(name: "blk.\(block).\($0).weight", shape: [4096, 1408, 256], pieces: 256)
            }
                + ["attn_q", "attn_k", "attn_v", "attn_output"].map {
                    TestSources.Tensor(name: "blk.\(block).\($0).weight", shape: [4096, 4096])
                }
                + (0..<8).map { TestSources.Tensor(name: "blk.\(block).small_\($0)_norm.weight", shape: [4096]) }
        }
        let source = TestSources.model(
            tensors,
            metadata: [("llama.block_count", .uint32(60)), ("llama.expert_count", .uint32(256))])
        let total = source.files.reduce(0) { $0 + $1.size }
        #expect(total > 500_000_000_000)
        let plan = try TestSources.plan(["Q4_K_M", "Q6_K", "Q8_0"].map { .init(gguf: $0) }, of: source)
        #expect(plan.refusals.isEmpty)
        #expect(plan.encodeWork.count < 10_000)
        #expect(plan.peakMemory < 300 << 20)
        #expect(
            plan.encodeWork.flatMap(\.spans).reduce(0) { $0 + $1.rows } == source.tensors.reduce(0) { $0 + $1.rows })
    }

    private static func global(_ extent: Extent, in work: EncodeWork, _ source: SourceModel) -> Extent {
        guard case .file(let local) = extent.origin, let index = source.files.firstIndex(of: work.files[local]) else {
            return extent
        }
        return extent.part(at: 0, length: extent.length, origin: .file(index))
    }

    /// Neighbouring extents as one.
    private static func joined(_ extents: [Extent]) -> [Extent] {
        extents.reduce(into: []) { joined, extent in
            if let last = joined.last, last.origin == extent.origin,
                last.part(at: last.length, length: extent.length, origin: last.origin) == extent
            {
                joined[joined.count - 1] = last.part(
                    at: 0, length: last.length + extent.length, origin: last.origin)
            } else {
                joined.append(extent)
            }
        }
    }
}
