import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import Testing

@Suite struct WorkItemTests {
    private static let targets: [Recipe.Target] = [
        .init(gguf: "F32"), .init(gguf: "Q8_0"), .init(gguf: "Q4_K_M"), .init(gguf: "Q4_K_S"), .init(gguf: "Q5_K_M"),
    ]

    @Test func eachTypeOfATensorIsEncodedOnce() throws {
        let plan = try TestSources.plan(Self.targets, of: TestSources.llama(blocks: 4))
        let spans = plan.encodeWork.flatMap(\.spans)
        #expect(spans.count == plan.targets[0].tensors.count)
        for span in spans {
            let wanted = Set(
                plan.targets.flatMap(\.tensors).filter { $0.name == span.tensor }.compactMap(\.type.element))
            #expect(span.outputs.compactMap(\.encoding.type) == wanted.sorted { $0.rawValue < $1.rawValue })
        }
        let shared = spans.first { $0.tensor == "blk.1.attn_q.weight" }?.outputs.map(\.encoding)
        #expect(shared == [.blocks(.f32), .blocks(.q8_0), .blocks(.q4_K), .blocks(.q5_K)])
    }

    @Test func typesThatImportanceDoesNotTouchAreSharedWithJobsThatHaveNone() throws {
        let source = TestSources.llama(blocks: 1)
        let importance = TestSources.importance(for: source)
        let plan = try TestSources.plan(Self.targets, of: source, importance: importance)
        for output in plan.encodeWork.flatMap(\.spans).flatMap(\.outputs) {
            #expect((output.importance != nil) == ![.blocks(.f32), .blocks(.q8_0)].contains(output.encoding))
        }
        let outputs = plan.encodeWork.flatMap(\.spans).first { $0.tensor == "blk.0.ffn_up.weight" }?.outputs
        let vectors = try #require(outputs?.last?.importance)
        #expect(vectors.rowsPerMatrix == 256)
        #expect(plan.blob(vectors) == importance.entries["blk.0.ffn_up.weight"]?.bytes)
        #expect(plan.publishWork?.statistics != nil)
    }

    @Test func statisticsDigestDependsOnValuesOnly() throws {
        let source = TestSources.llama(blocks: 1)
        func digest(_ importance: ImportanceMatrix?) throws -> Digest? {
            try TestSources.plan([.init(gguf: "Q4_K_M")], of: source, importance: importance).publishWork?.statistics
        }
        let importance = TestSources.importance(for: source)
        var entries = importance.entries
        #expect(try digest(nil) == nil)
        let first = try digest(importance)
        #expect(try digest(.init(entries: entries, datasets: [], chunkCount: 1)) == first)
        entries["blk.0.ffn_up.weight"] = .init(values: Array(repeating: 2, count: 256), matrices: 1)
        #expect(try digest(.init(entries: entries, datasets: [], chunkCount: 1)) != first)
    }

    @Test func expertsHaveAVectorEach() throws {
        let source = TestSources.model(
            [.init(name: "blk.0.ffn_up_exps.weight", shape: [256, 12, 4], pieces: 4)],
            metadata: [("llama.block_count", .uint32(1)), ("llama.expert_count", .uint32(4))])
        let plan = try TestSources.plan(
            [.init(gguf: "Q4_K_S")], of: source, importance: TestSources.importance(for: source))
        let span = try #require(plan.encodeWork[0].spans.first)
        let vectors = try #require(span.outputs[0].importance)
        #expect(vectors.rowsPerMatrix == 12)
        #expect(plan.blob(vectors)?.count == 256 * 4 * 4)
        #expect(span.extents.map(\.origin) == [.file(0), .file(1), .file(2), .file(3)])
        #expect(span.rows == 48)
    }

    @Test func dependenciesPointBackwards() throws {
        let plan = try TestSources.plan(
            Self.targets, of: TestSources.llama(blocks: 6), split: .init(maxTensors: 10))
        for (ordinal, item) in plan.items.enumerated() {
            #expect(item.dependencies.allSatisfy { $0 < ordinal })
            #expect(item.cost >= 1 && item.memory > 0 && item.memory <= plan.peakMemory && !item.label.isEmpty)
            if case .assemble(let work) = item.payload {
                #expect(Set(item.dependencies) == Set(work.tensors.flatMap(\.parts).map(\.ordinal)))
            }
        }
        let publish = try #require(plan.publishWork)
        #expect(publish.sources.map(\.name) == ["made-up-0.gguf"])
        #expect(publish.artifacts.map(\.target) == ["F32", "Q8_0", "Q4_K_M", "Q4_K_S", "Q5_K_M"])
        #expect(publish.encoder == EncoderVersion.reference)
        let needed = publish.sources.map(\.ordinal) + publish.artifacts.flatMap(\.files)
        #expect(plan.items.last?.dependencies == needed)
        let stages = plan.items.map(\.payload.stage)
        #expect(stages == stages.sorted { Self.order($0) < Self.order($1) })
    }

    private static func order(_ stage: Stage) -> Int { Stage.allCases.firstIndex(of: stage) ?? -1 }

    /// An encoder that writes in place writes what an assembler would, where it would.
    @Test func placesAreThoseOfTheArtifacts() throws {
        let plan = try TestSources.plan(
            Self.targets, of: TestSources.llama(blocks: 2, width: 2048), split: .init(maxTensors: 5))
        struct Place: Hashable {
            let file: String, offset: UInt64, ordinal: Int, index: Int
        }
        var assembled: Set<Place> = []
        for work in plan.assembleWork {
            for tensor in work.tensors {
                var offset = tensor.offset
                for part in tensor.parts {
                    assembled.insert(
                        Place(file: work.file, offset: offset, ordinal: part.ordinal, index: part.index))
                    guard case .encode(let encode) = plan.items[part.ordinal].payload else { continue }
                    let outputs = encode.spans.flatMap { span in span.outputs.map { (span, $0) } }
                    let (span, output) = outputs[part.index]
                    offset += UInt64(output.encoding.bytes(rows: span.rows, columns: span.columns) ?? 0)
                }
            }
        }
        var placed: Set<Place> = []
        for (ordinal, item) in plan.items.enumerated() {
            guard case .encode(let encode) = item.payload else { continue }
            for (index, output) in encode.spans.flatMap(\.outputs).enumerated() {
                for place in output.places {
                    let file = encode.artifacts[place.file]
                    #expect(plan.assembleWork.contains { $0.file == file.name && $0.size == file.bytes })
                    placed.insert(Place(file: file.name, offset: place.offset, ordinal: ordinal, index: index))
                }
            }
        }
        #expect(placed == assembled)
    }

    /// Parts, joined in order, are the tensor.
    @Test func partsAddUpToTensors() throws {
        let source = TestSources.llama(blocks: 2, width: 2048)
        let plan = try TestSources.plan(Self.targets, of: source)
        #expect(plan.encodeWork.count > 2)
        for work in plan.assembleWork {
            for tensor in work.tensors {
                let bytes = tensor.parts.map { part -> Int in
                    guard case .encode(let encode) = plan.items[part.ordinal].payload else { return 0 }
                    let outputs = encode.spans.flatMap { span in span.outputs.map { (span, $0) } }
                    let (span, output) = outputs[part.index]
                    #expect(span.tensor == tensor.name && output.encoding.type == tensor.type.element)
                    return output.encoding.bytes(rows: span.rows, columns: span.columns) ?? 0
                }
                #expect(UInt64(bytes.reduce(0, +)) == tensor.bytes)
            }
        }
    }

    @Test func manifestsKnowNoPaths() throws {
        let source = TestSources.llama(blocks: 1)
        let recipe = Recipe(
            source: "/home/someone/models/llama/", targets: [.init(gguf: "q4_k", pure: true)],
            imatrix: "/data/stats.gguf", split: .init(maxBytes: 5_000_000_000))
        let plan = try Planner.plan(recipe: recipe, source: source, importance: TestSources.importance(for: source))
        #expect(
            plan.publishWork?.recipe
                == #"{"imatrix":"stats.gguf","name":"made-up","source":"llama","split":{"max_size":5000000000},"#
                + #""targets":[{"gguf":"Q4_K_M","pure":true}]}"#)
    }

    @Test func reportHasTheAgreedKeys() throws {
        let source = TestSources.model([.init(name: "output.weight", shape: [32, 3])])
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: source)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let size = try #require(plan.assembleWork.first?.size)
        #expect(
            String(decoding: try encoder.encode(PlanReport(plan)), as: UTF8.self)
                == #"{"peak_memory_bytes":\#(plan.peakMemory),"refusals":[],"source":"made-up","targets":[{"bytes":\#(size),"#
                + #""files":[{"bytes":\#(size),"name":"made-up-Q8_0.gguf"}],"target":"Q8_0","tensors":[{"bytes":102,"#
                + #""name":"output.weight","shape":[32,3],"source_type":"BF16","type":"Q8_0"}]}],"warnings":[],"work_items":4}"#
        )
    }
}

extension Plan {
    /// The bytes of a tensor's vectors, where they were known when it was planned.
    fileprivate func blob(_ importance: Importance) -> [UInt8]? {
        guard case .blob(let digest) = importance.vectors else { return nil }
        return blobs[digest]
    }
}
