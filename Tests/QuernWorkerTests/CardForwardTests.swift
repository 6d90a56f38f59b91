import Foundation
import QuernCUDA
import QuernFormats
import QuernModel
import QuernPlanning
import QuernWorker
import Synchronization
import TestSupport
import Testing

/// Forward passes on cards.
@Suite struct CardForwardTests {
    static let names = [
        "llama", "mixtral", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3", "deepseek2",
        "gpt-oss", "olmo2", "granite", "glm4", "starcoder2",
    ]
    private static let tokens: [Int32] = [1, 11, 3, 9, 29, 31, 15, 13, 25, 19, 27, 17, 21, 7]
    private static let chunks = [tokens, [3], Array(tokens[4...])]

    private static func logits(_ decoder: Decoder) throws -> [[Float]] {
        let states = try decoder.forward(chunks: chunks) { _ in }
        return try chunks.indices.map { chunk in
            var logits = [Float](repeating: .nan, count: chunks[chunk].count * decoder.graph.vocabularySize)
            try logits.withUnsafeMutableBufferPointer {
                try decoder.logits(of: states, chunk: chunk, rows: 0..<chunks[chunk].count, into: $0) { _ in }
            }
            return logits
        }
    }

    private static func model(_ name: String) throws -> SourceModel {
        try SourceModel.open(path: Fixtures.path("decoders/\(name).gguf"))
    }

    /// Norm of the difference over norm.
    private static func error(_ found: [Float], _ expected: [Float]) -> Double {
        guard found.count == expected.count else { return .infinity }
        let difference = zip(found, expected).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
        return (difference / expected.reduce(0.0) { $0 + pow(Double($1), 2) }).squareRoot()
    }

    /// As near as the processor with operands in two halves is to its single precision.
    @Test(arguments: names) func computesTheProcessorsLogits(_ name: String) throws {
        let rig = try CardRig(computesForward: true)
        let model = try Self.model(name)
        let expected = try Self.logits(Decoder(model: model, threads: 1, engine: MatrixEngine(precision: .single)))
        let (words, found) = try rig.engine.withForwardEngine(on: .cuda) { engine in
            let decoder = try Decoder(model: model, threads: 2, engine: engine)
            return (decoder.arithmetic, try Self.logits(decoder))
        }
        #expect(words.contains("BF16 halves, cuBLASLt "))
        if rig.isSimulated { #expect(words == "BF16 halves, cuBLASLt 12.9.3 for 9.0 with 4 multiprocessors") }
        for chunk in Self.chunks.indices {
            let error = Self.error(found[chunk], expected[chunk])
            #expect(error > 0 && error < 1e-4, "chunk \(chunk): \(error)")
        }
    }

    /// Weights of experts come and go while lanes are at work: what one has used must not become another's too early.
    @Test(arguments: ["mixtral", "deepseek2", "gpt-oss", "llama"]) func computesTheSameEachTime(_ name: String) throws {
        let rig = try CardRig(computesForward: true)
        let model = try Self.model(name)
        // Who looks at all rows makes lanes wait for each other here and there.
        func rows() throws -> [String: [Float]] {
            let seen = SeenRows()
            try rig.engine.withForwardEngine(on: .cuda) {
                try Decoder(model: model, threads: 2, engine: $0).observe(chunks: Self.chunks, by: seen) { _ in }
            }
            return seen.rows.withLock { $0 }
        }
        let expected = try rows()
        for round in 0..<20 {
            let isEqual = try rows() == expected
            #expect(isEqual, "round \(round)")
        }
    }

    private final class SeenRows: ActivationObserver {
        let rows = Mutex<[String: [Float]]>([:])

        func observe(_ input: LinearInput, matrix: Int, rows observed: ObservedRows, chunk: Int) throws {
            let values = try observed.withValues { Array($0) }
            rows.withLock { $0["\(input.name) \(matrix) \(chunk)"] = values }
        }
    }

    /// Sums over what linear layers read, of rows that the processor never sees.
    @Test(arguments: ["llama", "qwen2moe", "deepseek2"]) func collectsStatistics(_ name: String) throws {
        let rig = try CardRig(computesForward: true)
        let model = try Self.model(name)
        func statistics(_ engine: any ForwardEngine, gram: Int?) throws -> [InputStatistics] {
            let decoder = try Decoder(model: model, threads: 2, engine: engine)
            let collector = StatisticsCollector(
                inputs: decoder.graph.linearInputs, isTensor: { _ in true }, chunks: Self.chunks.count,
                processOutput: true, gram: gram)
            try decoder.observe(chunks: Self.chunks, by: collector) { _ in }
            return try collector.finish()
        }
        for gram in [nil, 64] {
            let expected = try statistics(MatrixEngine(precision: .single), gram: gram)
            let found = try rig.engine.withForwardEngine(on: .cuda) { try statistics($0, gram: gram) }
            #expect(found.map(\.name) == expected.map(\.name) && found.map(\.counts) == expected.map(\.counts))
            for (found, expected) in zip(found, expected) {
                func isNear(_ a: [Double], _ b: [Double]) -> Bool {
                    let largest = b.map(abs).max() ?? 0
                    return a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-3 * largest }
                }
                #expect(isNear(found.squares, expected.squares), "\(found.name)")
                #expect(isNear(found.magnitudes, expected.magnitudes), "\(found.name)")
                #expect(isNear(found.maxima.map(Double.init), expected.maxima.map(Double.init)), "\(found.name)")
                #expect((found.gram == nil) == (gram == nil))
                // The diagonal of a Gram matrix is made of the rows, the squares of their sums: they are the same rows.
                guard let matrices = found.gram, found.channels <= 64 else { continue }
                let diagonal = (0..<found.channels).map { channel in
                    matrices.values[channel * found.channels - channel * (channel - 1) / 2]
                }
                #expect(isNear(diagonal, Array(found.squares[..<found.channels])), "\(found.name)")
            }
        }
    }

    /// A model and itself: nothing lies between them, whatever computes.
    @Test func evaluates() throws {
        let rig = try CardRig(computesForward: true)
        let model = try Self.model("qwen2")
        let chunks = [Self.tokens, Array(Self.tokens.reversed())]
        let scores = try rig.engine.withForwardEngine(on: .cuda) {
            try Evaluator(reference: model, candidates: [model], threads: 2, engine: $0).scores(of: chunks) { _ in }
        }
        let expected = try Evaluator(reference: model, candidates: [model], threads: 2).scores(of: chunks) { _ in }
        let found = try scores.summary(names: ["same"], chunks: 2, chunkTokens: Self.tokens.count)
        let wanted = try expected.summary(names: ["same"], chunks: 2, chunkTokens: Self.tokens.count)
        #expect(found.candidates[0].divergence.mean.value == 0 && wanted.candidates[0].divergence.mean.value == 0)
        #expect(abs(found.perplexity.value / wanted.perplexity.value - 1) < 1e-4)
    }

    /// How far a pass came, and what of.
    private struct Outcome {
        var arithmetic: [String] = []
        var logits: [[Float]]?
        var error: (any Error)?
    }

    private func run(on rig: CardRig) throws -> Outcome {
        let model = try Self.model("llama")
        var outcome = Outcome()
        do {
            outcome.logits = try rig.engine.withForwardEngine(on: .cuda) { engine in
                outcome.arithmetic.append(engine.arithmetic)
                return try Self.logits(Decoder(model: model, threads: 1, engine: engine))
            }
        } catch { outcome.error = error }
        return outcome
    }

    /// The work is given back, and the processor, whose digits are others, does not take it over.
    @Test(arguments: [
        ("cuMemAlloc_v2:12+:2", true), ("cuMemHostAlloc:2+:2", true), ("cublasLtMatmul:9:3", true),
        ("cuLaunchKernel:40:719", false), ("cublasLtMatmul:9:13", false), ("cuEventSynchronize:5:700", false),
        ("cublasLtMatmulAlgoGetHeuristic:3:15", false),
    ])
    func failuresAreTold(_ failure: String, _ isOfMemory: Bool) throws {
        let rig = try CardRig([:], computesForward: true)
        try rig.set("FAILURES", failure)
        let first = try run(on: rig)
        #expect(first.logits == nil && first.arithmetic.count == 1)
        if isOfMemory {
            #expect((first.error as? QuernError)?.code == .outOfMemory)
        } else {
            #expect(first.error is ForwardLoss)
        }
        // With memory again a card goes on; one that is lost stays so.
        try rig.set("FAILURES", "")
        let second = try run(on: rig)
        #expect((second.logits != nil) == isOfMemory && (second.error is ForwardLoss) == !isOfMemory)
    }

    /// Another card of the same kind gives the same bits.
    @Test func otherCardsGoOn() throws {
        let wanted = try run(on: CardRig([:], computesForward: true)).logits
        let rig = try CardRig(["CARDS": "2"], computesForward: true)
        try rig.set("FAILURES", "cuLaunchKernel:40:719")
        let outcome = try run(on: rig)
        #expect(outcome.arithmetic.count == 2 && Set(outcome.arithmetic).count == 1)
        #expect(outcome.logits == wanted && wanted != nil)
    }

    /// Cards that cannot be used are named at the start.
    @Test(arguments: [
        (["FLIPS": "5"], QuernError.Code.corrupted, "it multiplies matrices wrongly"),
        (["CAPABILITY": "7.5"], .unsupported, "cublasLtMatmulAlgoGetHeuristic for F32 [40, 64] = BF16"),
        (["FAILURES": "cublasLtCreate:1:1"], .unsupported, "cublasLtCreate failed with CUBLAS_STATUS_NOT_INITIALIZED"),
    ])
    func refusesCards(_ settings: [String: String], _ code: QuernError.Code, _ words: String) throws {
        let error = #expect(throws: QuernError.self) { _ = try CardRig(settings, computesForward: true) }
        #expect(error?.code == code && error?.message.contains(words) == true, "\(String(describing: error))")
        // For encoding they may do: that asks less of them.
        guard code == .unsupported else { return }
        _ = try CardRig(settings)
    }

    /// Unless asked for, cards leave models to the processor.
    @Test func cardsComputeModelsWhereAsked() throws {
        #expect(try CardRig().engine.withForwardEngine(on: .cpu, \.arithmetic) == MatrixEngine().arithmetic)
    }

    /// Errors of the work itself are the work's: nothing is computed again.
    @Test func errorsOfTheWorkAreItsOwn() throws {
        let rig = try CardRig(computesForward: true)
        var calls = 0
        #expect(throws: CancellationError.self) {
            try rig.engine.withForwardEngine(on: .cuda) { engine in
                calls += 1
                let decoder = try Decoder(model: Self.model("llama"), threads: 2, engine: engine)
                _ = try decoder.forward(chunks: Self.chunks) { _ in throw CancellationError() }
            }
        }
        #expect(calls == 1)
    }
}
