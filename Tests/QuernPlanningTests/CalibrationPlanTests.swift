import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Calibration as items of a plan, on the sample checkpoint: 4 layers, three shards.
struct CalibrationPlanTests {
    static let text = SourceFile(path: "/texts/wiki.txt", name: "wiki.txt", size: 20_000, modified: 5)

    private func plan(
        _ targets: [String], _ calibration: Recipe.Calibration = .init(text: text.path), size: UInt64 = text.size,
        change: (inout Recipe) -> Void = { _ in }
    ) throws -> Plan {
        var recipe = Recipe(
            source: Fixtures.sample, name: "tiny", targets: targets.map { .init(gguf: $0) }, calibration: calibration,
            encoder: .reference)
        change(&recipe)
        return try Planner.plan(
            recipe: recipe, source: SourceModel.open(path: Fixtures.sample), importance: nil,
            calibrationText: SourceFile(path: Self.text.path, name: Self.text.name, size: size, modified: 5))
    }

    @Test func itemsByValue() throws {
        let plan = try plan(["Q4_K_M"])
        let stages = plan.items.map(\.payload.stage)
        // As many chunks as the text could have if every byte were a token: 40, in groups of 8.
        #expect(
            stages.prefix(10)
                == [.digest, .digest, .digest, .tokenize] + Array(repeating: .calibrate, count: 5) + [.merge])
        guard case .tokenize(let tokenize) = plan.items[3].payload, case .calibrate(let last) = plan.items[8].payload,
            case .merge(let merge) = plan.items[9].payload
        else { throw QuernError(.internalFault, "other items") }
        #expect(tokenize.text == Self.text && tokenize.chunkTokens == 512 && tokenize.maximumChunks == 40)
        #expect(tokenize.model.path == Fixtures.sample && tokenize.model.files.count == 3)
        #expect(last.firstChunk == 32 && last.maximumChunks == 8 && last.tokens == 3 && !last.processOutput)
        #expect(plan.items[8].dependencies == [3] && plan.items[8].memory == last.memory)
        #expect(merge.groups == [4, 5, 6, 7, 8] && plan.items[9].dependencies == [3, 4, 5, 6, 7, 8])
        #expect(plan.items.last?.dependencies.contains(9) == true)
        #expect(plan.publishWork?.merged == 9 && plan.publishWork?.statistics == nil)
        #expect(
            plan.publishWork?.recipe
                == #"{"calibration":{"chunk_tokens":512,"text":"wiki.txt"},"encoder":"reference","name":"tiny","#
                + #""source":"tiny-llama","targets":[{"gguf":"Q4_K_M"}]}"#)
    }

    @Test func encodersWaitForWhatTheyUse() throws {
        let plan = try plan(["Q4_K_M"])
        for item in plan.items {
            guard case .encode(let work) = item.payload else { continue }
            let uses = work.spans.flatMap(\.outputs).contains { $0.importance != nil }
            #expect(item.dependencies == (uses ? [9] : []))
        }
        let outputs = plan.encodeWork.flatMap(\.spans).filter { $0.tensor == "blk.1.ffn_down.weight" }
            .flatMap(\.outputs)
        #expect(
            outputs.map(\.importance) == [
                Importance(vectors: .merged(item: 9, tensor: "blk.1.ffn_down.weight"), rowsPerMatrix: 256)
            ])
        let unweighted = ["token_embd.weight", "output.weight", "blk.0.attn_norm.weight"]
        for span in plan.encodeWork.flatMap(\.spans) where unweighted.contains(span.tensor) {
            #expect(span.outputs.allSatisfy { $0.importance == nil })
        }
    }

    @Test func theHeadIsWeightedOnRequest() throws {
        let plan = try plan(["Q4_K_M"], .init(text: Self.text.path, processOutput: true))
        let output = plan.encodeWork.flatMap(\.spans).first { $0.tensor == "output.weight" }?.outputs.first
        #expect(output?.importance?.vectors == .merged(item: 9, tensor: "output.weight"))
    }

    @Test func typesAreThoseOfAnImportanceMatrix() throws {
        // Refused without one.
        #expect(try plan(["IQ2_M"]).refusals.isEmpty)
        #expect(try plan(["IQ2_M"]) { $0.excludeWeights = ["blk."] }.refusals.isEmpty == false)
    }

    @Test(arguments: [(3, 3, 1), (8, 8, 1), (9, 9, 2), (1000, 40, 5)])
    func groupsFollowTheChunks(asked: Int, planned: Int, groups: Int) throws {
        let plan = try plan([], .init(text: Self.text.path, chunks: asked))
        #expect(plan.items.map(\.payload.stage).filter { $0 == .calibrate }.count == groups)
        guard case .tokenize(let work) = plan.items[0].payload else { throw QuernError(.internalFault, "no text") }
        #expect(work.maximumChunks == planned)
        #expect(plan.items.last?.payload.stage == .publish && plan.items.count == groups + 3)
        #expect(plan.publishWork?.sources == [] && plan.publishWork?.artifacts == [])
    }

    /// One chunk more than there is room for, asked for or not: who tokenizes sees whether the text has it.
    @Test(arguments: [(nil, 32_769), (40_000, 32_769), (32_768, 32_768)] as [(Int?, Int)])
    func muchTextIsNotCutOffUnseen(asked: Int?, planned: Int) throws {
        let plan = try plan([], .init(text: Self.text.path, chunks: asked), size: 1 << 30)
        guard case .tokenize(let work) = plan.items[0].payload else { throw QuernError(.internalFault, "no text") }
        #expect(work.maximumChunks == planned)
    }

    /// Widths of 256 and 768, four layers with three and one of them: 6 303 744 bytes in full.
    @Test(arguments: [
        (Recipe.GramLimits(), 768), (.init(maxBlock: 300), 300), (.init(budget: 6_303_744), 768),
        (.init(budget: 6_303_743), 512), (.init(budget: 1_000_000), 64), (.init(maxBlock: 5, budget: 73_584), 5),
        (.init(maxBlock: 5, budget: 73_583), 4),
    ])
    func blocksKeepToTheBudget(limits: Recipe.GramLimits, widest: Int) throws {
        // So long that a group is one chunk, with Gram matrices and without.
        let tokens = 16_384
        let plan = try plan([], .init(text: Self.text.path, chunkTokens: tokens, gram: limits), size: 40_000)
        let plain = try self.plan([], .init(text: Self.text.path, chunkTokens: tokens), size: 40_000)
        guard case .calibrate(let work) = plan.items[1].payload, case .merge(let merge)? = plan.merge,
            case .merge(let plainMerge)? = plain.merge
        else { throw QuernError(.internalFault, "other items") }
        #expect(work.gramBlock == widest)
        let columns = GramLayout(channels: 768, widest: widest).blockColumns
        #expect(plan.warnings.isEmpty == (widest == 768))
        #expect(plan.warnings.allSatisfy { $0.contains("of 768 channels in blocks of \(columns), by gram.max_block") })
        let bytes = [(256, 12), (768, 4)].reduce(0) {
            $0 + 4 * GramLayout(channels: $1.0, widest: widest).values * $1.1
        }
        #expect(UInt64(bytes) <= limits.budget)
        // All fit a window and a blob.
        let merging = Int64(10 * bytes)
        #expect(merge.memory - plainMerge.memory == merging)
        // Rows of the chunk wait.
        let waiting = 4 * tokens * 768
        let calibrating = Int64(4 * bytes + waiting)
        #expect(work.memory - plain.items[1].memory == calibrating)
        #expect(plain.items[1].cost < plan.items[1].cost)
    }

    /// What is stored and added for every group is worth more tokens.
    @Test func groupsAreLargerWithGramMatrices() throws {
        func firstGroup(_ gram: Recipe.GramLimits?) throws -> Int? {
            let plan = try plan([], .init(text: Self.text.path, gram: gram))
            guard case .calibrate(let work) = plan.items[1].payload else { return nil }
            return work.maximumChunks
        }
        #expect(try firstGroup(nil) == 8 && firstGroup(.init()) == 32)
    }

    @Test(arguments: [
        (Recipe.GramLimits(maxBlock: 0), "1 to 1048576"), (.init(maxBlock: 1 << 21), "1 to 1048576"),
        (.init(budget: 24_575), "not even their diagonals"),
    ])
    func impossibleGramLimits(limits: Recipe.GramLimits, message: String) throws {
        let error = try #require(throws: QuernError.self) {
            try plan([], .init(text: Self.text.path, gram: limits), size: 40_000)
        }
        #expect(error.code == .usage && error.message.contains(message), "\(error)")
    }

    /// The chunks are not known when the header is laid out.
    @Test func theHeaderIsOpenWhereTheChunksGo() throws {
        let plan = try plan(["Q4_K_M"])
        let work = try #require(plan.assembleWork.first)
        let patch = try #require(work.patches.first)
        #expect(work.patches.count == 1 && patch.item == 9)
        let assemble = try #require(plan.items.first { $0.payload.stage == .assemble })
        #expect(assemble.dependencies.contains(9))
        var header = try work.header.flatMap { try #require(plan.blobs[$0]) }
        #expect(header[Int(patch.offset)..<Int(patch.offset) + 4] == [255, 255, 255, 255])
        header[Int(patch.offset)..<Int(patch.offset) + 4] = [7, 1, 0, 0]
        header += Array(repeating: 0, count: Int(work.size) - header.count)
        let read = try GGUFHeader.read(from: MemoryByteSource(header, name: "h"))
        #expect(read["quantize.imatrix.chunks_count"] == .uint32(263))
        #expect(read["quantize.imatrix.file"] == .string("tiny.imatrix.gguf"))
        #expect(read["quantize.imatrix.dataset"] == .string("wiki.txt"))
        #expect(read["quantize.imatrix.entries_count"] == .uint32(28))
    }

    @Test(arguments: [
        (Recipe.Calibration(text: "t", chunkTokens: 15), UInt64(20_000), QuernError.Code.usage, "chunks have 16"),
        (.init(text: "t", chunks: 0), 20_000, .usage, "at least one chunk"),
        (.init(text: "t"), 0, .invalidInput, "0 bytes of text cannot be two chunks"),
        (.init(text: "t"), 1000, .invalidInput, "1000 bytes of text cannot be two chunks of 512 tokens"),
        (.init(text: "t", chunks: 2), 1 << 31, .invalidInput, "2147483648 bytes of text are more"),
    ])
    func refusals(calibration: Recipe.Calibration, size: UInt64, code: QuernError.Code, message: String) throws {
        let error = try #require(throws: QuernError.self) { try plan(["Q4_K_M"], calibration, size: size) }
        #expect(error.code == code && error.message.contains(message), "\(error)")
    }

    @Test func aFileAndATextAreOneTooMany() throws {
        let error = try #require(throws: QuernError.self) { try plan(["Q4_K_M"]) { $0.imatrix = "/i.gguf" } }
        #expect(error.code == .usage && error.location == "calibration")
    }

    @Test func unknownFamiliesSayWhy() throws {
        let recipe = Recipe(source: "/m", targets: [.init(gguf: "Q4_K_M")], calibration: .init(text: "/t"))
        let error = try #require(throws: QuernError.self) {
            try Planner.plan(
                recipe: recipe, source: TestSources.model([], architecture: "mamba"), importance: nil,
                calibrationText: Self.text)
        }
        #expect(error.code == .unsupported && error.message.contains("cannot be calibrated"), "\(error)")
        #expect(error.message.contains("mamba") && error.remedy.contains("importance matrix file"), "\(error)")
    }

    @Test func withoutTargetsOrCalibrationThereIsNothingToDo() {
        #expect(throws: QuernError.self) {
            try Planner.plan(
                recipe: Recipe(source: "/m", targets: []), source: TestSources.llama(blocks: 1), importance: nil)
        }
    }
}

extension Plan {
    fileprivate var merge: WorkPayload? { items.map(\.payload).first { $0.stage == .merge } }
}
