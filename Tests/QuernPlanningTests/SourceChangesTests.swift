import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// What a recipe changes about the source itself: blocks left out, metadata overridden, statistics restricted, the
/// division into files kept. Whole files with each of these equal llama-quantize's.
@Suite struct SourceChangesTests {
    private func plan(_ source: SourceModel, _ change: (inout Recipe) -> Void) throws -> Plan {
        var recipe = Recipe(source: "/models/made-up", targets: [.init(gguf: "Q4_K_M")])
        change(&recipe)
        let importance = recipe.imatrix == nil ? nil : TestSources.importance(for: source)
        return try Planner.plan(recipe: recipe, source: source, importance: importance)
    }

    private func header(_ plan: Plan, file: Int = 0) throws -> GGUFHeader {
        let folder = try TemporaryFolder()
        let work = plan.assembleWork[file]
        let path = try folder.write(try work.header.flatMap { try #require(plan.blobs[$0]) }, to: work.file)
        return try GGUFHeader.read(from: FileByteSource(path: path), requiringData: false)
    }

    @Test func prunedBlocksAreCountedAnew() throws {
        let source = TestSources.llama(blocks: 12)
        let plan = try plan(source) {
            $0.pruneLayers = [1, 3, 3, 11]
            $0.imatrix = "/statistics.gguf"
        }
        let header = try header(plan)
        #expect(header["llama.block_count"] == .uint32(9))
        #expect(header.metadata.last?.key == "llama.block_count")
        let names = plan.targets[0].tensors.map(\.name)
        #expect(names.contains("blk.8.ffn_up.weight") && !names.contains("blk.9.ffn_up.weight"))
        #expect(names.count == source.tensors.count - 3 * 8)
        // What was block 2 is read from where block 2 lies, and weighed as block 2 was.
        let old = try #require(source.tensors.first { $0.name == "blk.2.ffn_up.weight" })
        let span = try #require(plan.encodeWork.flatMap(\.spans).first { $0.tensor == "blk.1.ffn_up.weight" })
        #expect(span.extents.first?.offset == old.extents.first?.offset)
        #expect(span.outputs.first?.importance != nil)
        // Mixture rules divide the blocks that the source has: an eighth of 12, not of 9.
        #expect(plan.types["blk.0.ffn_down.weight"] == .q6_K && plan.types["blk.1.ffn_down.weight"] == .q4_K)
    }

    @Test(arguments: [[4], [-1], [0, 1, 2, 3]])
    func blocksThatCannotBeLeftOut(layers: [Int]) throws {
        let error = #expect(throws: QuernError.self) {
            try plan(TestSources.llama(blocks: 4)) { $0.pruneLayers = layers }
        }
        #expect(error?.code == .usage && error?.location == "prune_layers")
    }

    @Test func metadataOfEachBlockForbidsPruning() throws {
        let source = TestSources.model(
            [
                .init(name: "blk.0.ffn_up.weight", shape: [256, 4]),
                .init(name: "blk.1.ffn_up.weight", shape: [256, 4]),
            ],
            metadata: [("llama.feed_forward_length", .array(.uint32([4, 4])))])
        let error = #expect(throws: QuernError.self) { try plan(source) { $0.pruneLayers = [0] } }
        #expect(error?.code == .unsupported)
    }

    @Test func overridesReplaceAndAdd() throws {
        let overrides: [MetadataOverride] = [
            .init(key: "tokenizer.ggml.model", value: .string("llama")), .init(key: "new.number", value: .int(3)),
            .init(key: "llama.expert_count", value: .int(8)),
        ]
        let source = TestSources.llama(blocks: 4)
        let plan = try plan(source) { $0.overrides = overrides }
        let header = try header(plan)
        #expect(header["tokenizer.ggml.model"] == .string("llama") && header["new.number"] == .uint32(3))
        #expect(
            header.metadata.suffix(4).map(\.key) == [
                "general.file_type", "tokenizer.ggml.model", "new.number", "llama.expert_count",
            ])
        // Mixture rules go by what is to stand in the artifact.
        #expect(plan.types["blk.0.attn_k.weight"] == .q8_0)
    }

    @Test(arguments: ["general.architecture", "general.file_type", "split.no", "general.alignment"])
    func keysOfTheArtifactItself(key: String) {
        let error = #expect(throws: QuernError.self) {
            try plan(TestSources.llama(blocks: 1)) { $0.overrides = [.init(key: key, value: .int(64))] }
        }
        #expect(error?.code == .usage)
    }

    @Test func statisticsCanBeRestricted() throws {
        let source = TestSources.llama(blocks: 1)
        func weighted(_ change: (inout Recipe) -> Void) throws -> Set<String> {
            let plan = try plan(source) {
                $0.imatrix = "/statistics.gguf"
                change(&$0)
            }
            let spans = plan.encodeWork.flatMap(\.spans).filter { $0.outputs.contains { $0.importance != nil } }
            #expect(try header(plan)["quantize.imatrix.entries_count"] == .uint32(UInt32(spans.count)))
            return Set(spans.map(\.tensor))
        }
        #expect(
            try weighted { $0.includeWeights = ["attn_q", "blk.0.ffn_up"] } == [
                "blk.0.attn_q.weight", "blk.0.ffn_up.weight",
            ])
        let all = try weighted { _ in }
        #expect(try weighted { $0.excludeWeights = ["ffn"] } == all.filter { !$0.contains("ffn") })
        #expect(throws: QuernError.self) {
            try weighted {
                $0.includeWeights = ["a"]
                $0.excludeWeights = ["b"]
            }
        }
    }

    /// In the order of the source, even where that is not the order of artifacts.
    @Test func splitOfTheSourceIsKept() throws {
        let names = ["blk.1.ffn_up.weight", "output.weight", "blk.0.ffn_up.weight", "token_embd.weight"]
        let tensors = names.enumerated().map { index, name in
            SourceTensor(
                name: name, shape: [256, 4], type: .f16,
                extents: [Extent(origin: .file(index / 2), offset: UInt64(4096 + index * 2048), length: 2048)],
            )
        }
        let base = TestSources.model([.init(name: "x", shape: [256, 4], type: .f16, pieces: 2)])
        let source = SourceModel(
            name: "made-up", architecture: "llama", metadata: base.metadata, tensors: tensors, files: base.files,
            blobs: [:])
        let plan = try plan(source) { $0.split = .init(keep: true) }
        #expect(plan.assembleWork.map { $0.tensors.map(\.name) } == [Array(names[..<2]), Array(names[2...])])
        #expect(
            plan.assembleWork.map(\.file) == [
                "made-up-Q4_K_M-00001-of-00002.gguf", "made-up-Q4_K_M-00002-of-00002.gguf",
            ])
        #expect(
            try header(plan, file: 1).metadata.map(\.key) == ["split.no", "split.count", "split.tensors.count"])
        #expect(throws: QuernError.self) { try self.plan(source) { $0.split = .init(maxTensors: 3, keep: true) } }
        let checkpoint = TestSources.llama(blocks: 1, fileSuffix: "safetensors")
        #expect(throws: QuernError.self) { try self.plan(checkpoint) { $0.split = .init(keep: true) } }
    }
}
