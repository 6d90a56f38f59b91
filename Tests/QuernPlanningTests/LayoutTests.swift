import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

@Suite struct LayoutTests {
    /// The header of each planned file, read back by the reader.
    private func headers(_ plan: Plan) throws -> [GGUFHeader] {
        let folder = try TemporaryFolder()
        return try plan.assembleWork.map { work in
            let bytes = try work.header.flatMap { try #require(plan.blobs[$0]) }
            let path = try folder.write(bytes, to: work.file)
            return try GGUFHeader.read(from: FileByteSource(path: path), requiringData: false)
        }
    }

    @Test func placementsAgreeWithTheHeader() throws {
        let plan = try TestSources.plan([.init(gguf: "Q4_K_M"), .init(gguf: "Q8_0")], of: TestSources.llama(blocks: 3))
        for (work, header) in zip(plan.assembleWork, try headers(plan)) {
            #expect(header.tensors.map(\.name) == work.tensors.map(\.name))
            #expect(header.tensors.map(\.offset) == work.tensors.map(\.offset))
            #expect(header.tensors.map(\.bytes) == work.tensors.map(\.bytes))
            #expect(header.tensors.map { .element($0.type) } == work.tensors.map(\.type))
            var end = header.dataOffset
            for tensor in work.tensors {
                #expect(tensor.offset == end)
                end = (tensor.offset + tensor.bytes + 31) / 32 * 32
            }
            #expect(work.size == end)
        }
        #expect(plan.targets.map(\.bytes) == plan.assembleWork.map(\.size))
        #expect(plan.assembleWork.map(\.file) == ["made-up-Q4_K_M.gguf", "made-up-Q8_0.gguf"])
    }

    @Test func tensorsAreOrderedByBlockThenName() throws {
        let names = [
            "blk.10.attn_q.weight", "blk.2.ffn_up.weight", "v.blk.0.attn_q.weight", "output.weight",
            "blk.2.attn_k.weight",
            "blk.2.ffn_up_exps.weight",
        ]
        let source = TestSources.model(names.map { .init(name: $0, shape: [32, 2]) })
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: source)
        #expect(
            plan.targets[0].tensors.map(\.name) == [
                "output.weight", "v.blk.0.attn_q.weight", "blk.2.attn_k.weight", "blk.2.ffn_up.weight",
                "blk.2.ffn_up_exps.weight", "blk.10.attn_q.weight",
            ])
    }

    /// llama-quantize moves the keys it sets to the end.
    @Test func quantizedMetadata() throws {
        let source = TestSources.llama(blocks: 1)
        let plan = try TestSources.plan(
            [.init(gguf: "Q4_K_M")], of: source, importance: TestSources.importance(for: source))
        let header = try headers(plan)[0]
        #expect(
            header.metadata.map(\.key) == [
                "general.architecture", "llama.block_count", "llama.attention.head_count",
                "llama.attention.head_count_kv", "tokenizer.ggml.model", "general.quantization_version",
                "general.file_type", "quantize.imatrix.file", "quantize.imatrix.dataset",
                "quantize.imatrix.entries_count", "quantize.imatrix.chunks_count",
            ])
        #expect(header["general.file_type"] == .uint32(15))
        #expect(header["general.quantization_version"] == .uint32(2))
        #expect(header["quantize.imatrix.file"] == .string("llama.imatrix"))
        #expect(header["quantize.imatrix.dataset"] == .string("calibration.txt"))
        #expect(header["quantize.imatrix.entries_count"] == .uint32(9))
        #expect(header["quantize.imatrix.chunks_count"] == .uint32(12))
    }

    /// A checkpoint in a plain type is what the converter writes: keys keep their place.
    @Test func convertedMetadata() throws {
        let source = TestSources.llama(blocks: 1, fileSuffix: "safetensors")
        let header = try headers(try TestSources.plan([.init(gguf: "F16")], of: source))[0]
        #expect(header.metadata.map(\.key) == source.metadata.map(\.key))
        #expect(header["general.file_type"] == .uint32(1))
        let quantized = try headers(try TestSources.plan([.init(gguf: "Q8_0")], of: source))[0]
        #expect(quantized.metadata.last?.key == "general.file_type")
    }

    @Test func alignmentIsHonoured() throws {
        let source = TestSources.model(
            (0..<4).map { .init(name: "blk.\($0).ffn_up.weight", shape: [32, 3]) },
            metadata: [("general.alignment", .uint32(128))])
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: source, split: .init(maxTensors: 2))
        for (work, header) in zip(plan.assembleWork, try headers(plan)) {
            #expect(header.alignment == 128)
            #expect(work.tensors.map(\.offset) == header.tensors.map(\.offset))
            #expect(work.tensors.allSatisfy { $0.offset % 128 == 0 })
            #expect(work.size % 128 == 0)
        }
    }

    @Test func splitKeysAndNames() throws {
        let source = TestSources.llama(blocks: 1)
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: source, split: .init(maxTensors: 4))
        #expect(
            plan.targets[0].files.map(\.name) == [
                "made-up-Q8_0-00001-of-00003.gguf", "made-up-Q8_0-00002-of-00003.gguf",
                "made-up-Q8_0-00003-of-00003.gguf",
            ])
        let headers = try headers(plan)
        #expect(headers.map(\.tensors.count) == [4, 4, 3])
        for (index, header) in headers.enumerated() {
            #expect(header["split.no"] == .uint16(UInt16(index)))
            #expect(header["split.count"] == .uint16(3))
            #expect(header["split.tensors.count"] == .int32(11))
            #expect((header["general.architecture"] != nil) == (index == 0))
            #expect(index == 0 || header.metadata.count == 3)
        }
    }

    /// Sizes count padded tensor bytes: 32 × 3 in Q8_0 is 102 bytes, 128 with padding.
    @Test(
        arguments: [
            (127, [1, 1, 1, 1]), (128, [1, 1, 1, 1]), (255, [1, 1, 1, 1]), (256, [2, 2]), (383, [2, 2]),
            (384, [3, 1]), (512, [4]), (.max, [4]),
        ] as [(UInt64, [Int])])
    func splitBySize(limit: UInt64, expected: [Int]) throws {
        let source = TestSources.model((0..<4).map { .init(name: "blk.\($0).ffn_up.weight", shape: [32, 3]) })
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: source, split: .init(maxBytes: limit))
        #expect(plan.assembleWork.map(\.tensors.count) == expected)
    }

    @Test func aSplitSourceIsOneModel() throws {
        let source = TestSources.model(
            [.init(name: "output.weight", shape: [32, 3])],
            metadata: [("split.no", .uint16(0)), ("split.count", .uint16(2)), ("split.tensors.count", .int32(1))])
        let header = try headers(try TestSources.plan([.init(gguf: "Q8_0")], of: source))[0]
        #expect(
            header.metadata.map(\.key) == [
                "general.architecture", "general.quantization_version", "general.file_type",
            ])
    }
}
