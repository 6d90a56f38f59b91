import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Evaluation as items of a plan, on the sample checkpoint: 4 layers, three shards.
@Suite struct EvaluationPlanTests {
    static let text = SourceFile(path: "/texts/wiki.txt", name: "wiki.txt", size: 20_000, modified: 5)

    private func plan(
        _ targets: [String], _ evaluation: Recipe.Evaluation, size: UInt64 = text.size,
        source: SourceModel? = nil
    ) throws -> Plan {
        try Planner.plan(
            recipe: Recipe(
                source: Fixtures.sample, name: "tiny", targets: targets.map { .init(gguf: $0) },
                evaluation: evaluation),
            source: source ?? SourceModel.open(path: Fixtures.sample), importance: nil,
            evaluationText: SourceFile(path: Self.text.path, name: Self.text.name, size: size, modified: 5))
    }

    @Test func itemsByValue() throws {
        let plan = try plan(["Q4_K_M", "Q2_K"], .init(text: Self.text.path, chunkTokens: 256, chunks: 20))
        let stages = plan.items.map(\.payload.stage)
        let first = try #require(stages.firstIndex(of: .tokenize))
        // Everything is judged when everything is made: 20 chunks in groups of 16.
        #expect(stages[first...].elementsEqual([.tokenize, .evaluate, .evaluate, .publish]))
        #expect(stages[..<first].suffix(2).elementsEqual([.assemble, .assemble]))
        guard case .tokenize(let tokenize) = plan.items[first].payload,
            case .evaluate(let last) = plan.items[first + 2].payload
        else { throw QuernError(.internalFault, "other items") }
        #expect(tokenize.text == Self.text && tokenize.chunkTokens == 256 && tokenize.maximumChunks == 20)
        #expect(plan.items[first].dependencies.isEmpty)
        #expect(last.model.path == Fixtures.sample && last.model.files.count == 3)
        let candidates: [EvaluateWork.Candidate] = [
            .init(target: "Q4_K_M", files: [first - 2]), .init(target: "Q2_K", files: [first - 1]),
        ]
        #expect(last.candidates == candidates)
        #expect(last.tokens == first && last.firstChunk == 16 && last.maximumChunks == 4)
        #expect(plan.items[first + 2].dependencies == [first - 2, first - 1, first])
        #expect(plan.items[first + 2].memory == last.memory && last.memory > 100 << 20)
        // 20·128 positions; 2·(4 + 9·2) bytes for each, twice 2·4 numbers of 16 bytes for each chunk, and 8 doubles.
        let scores: Int64 = 2 * (2560 * 22 + 20 * 2 * 4 * 16) + 2560 * 64
        #expect(
            plan.publishWork?.evaluation
                == EvaluationReference(chunkTokens: 256, groups: [first + 1, first + 2], memory: scores))
        #expect(plan.items.last?.memory == 8 << 20 + scores)
        #expect(plan.items.last?.dependencies.suffix(2) == [first + 1, first + 2])
        #expect(
            plan.publishWork?.recipe.contains(#""evaluation":{"chunk_tokens":256,"chunks":20,"text":"wiki.txt"}"#)
                == true)
    }

    @Test func withoutItNothingIsJudged() throws {
        let plan = try Planner.plan(
            recipe: Recipe(source: Fixtures.sample, targets: [.init(gguf: "Q8_0")]),
            source: SourceModel.open(path: Fixtures.sample), importance: nil)
        #expect(!plan.items.contains { $0.payload.stage == .evaluate })
        #expect(plan.publishWork?.evaluation == nil)
    }

    @Test(arguments: [
        (Recipe.Evaluation(text: "t", chunkTokens: 15), UInt64(20_000), QuernError.Code.usage, "chunks have 16"),
        (.init(text: "t", chunks: 0), 20_000, .usage, "at least one chunk"),
        (.init(text: "t"), 1000, .invalidInput, "1000 bytes of text cannot be two chunks of 512 tokens"),
    ])
    func refusals(evaluation: Recipe.Evaluation, size: UInt64, code: QuernError.Code, message: String) throws {
        let error = try #require(throws: QuernError.self) { try plan(["Q4_K_M"], evaluation, size: size) }
        #expect(error.code == code && error.message.contains(message), "\(error)")
    }

    @Test func unknownFamiliesSayWhy() throws {
        let error = try #require(throws: QuernError.self) {
            try plan(
                ["Q8_0"], .init(text: "/t"),
                source: TestSources.model([.init(name: "blk.0.x.weight", shape: [32, 2])], architecture: "mamba"))
        }
        #expect(error.code == .unsupported && error.message.contains("cannot be evaluated"), "\(error)")
    }
}
