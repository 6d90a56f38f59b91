import Foundation
import QuernFormats
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// Models whose computation leaves the numbers: an error that names them, whatever is wrong.
@Suite struct EvaluationFaultTests {
    private static let chunks: [[Int32]] = [DecoderTests.tokens, DecoderTests.tokens.reversed()]

    /// A model with one weight changed.
    private func broken(_ name: String, _ tensor: String, _ value: Float, in folder: TemporaryFolder) throws
        -> SourceModel
    {
        var bytes = try Fixtures.bytes("decoders/\(name).gguf")
        let header = try GGUFHeader.read(from: MemoryByteSource(bytes, name: name))
        let info = try #require(header.tensors.first { $0.name == tensor })
        let place = Int(info.offset)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.replaceSubrange(place..<place + 4, with: $0) }
        return try SourceModel.open(path: folder.write(bytes, to: "broken.gguf"))
    }

    private func error(_ reference: SourceModel, _ candidate: SourceModel, from first: Int = 0) throws -> QuernError {
        let evaluator = try Evaluator(reference: reference, candidates: [candidate], threads: 2)
        return try #require(throws: QuernError.self) {
            try evaluator.scores(of: Self.chunks, from: first) { _ in }
                .summary(names: ["Q2_K"], chunks: 2, chunkTokens: 14)
        }
    }

    @Test(arguments: [
        ("llama", "output.weight", Float.nan), ("llama", "blk.1.ffn_down.weight", .infinity),
        ("llama", "blk.0.attn_norm.weight", -.infinity), ("qwen3moe", "blk.1.ffn_gate_inp.weight", .nan),
        ("qwen3moe", "blk.0.ffn_down_exps.weight", .nan), ("llama", "token_embd.weight", .nan),
    ])
    func aBrokenModelIsNamed(name: String, tensor: String, value: Float) throws {
        let folder = try TemporaryFolder()
        let (whole, broken) = (try DecoderTests.model(name), try broken(name, tensor, value, in: folder))
        // The first token of the vocabulary is in none of the chunks: its embedding harms nobody.
        if tensor == "token_embd.weight" {
            let evaluator = try Evaluator(reference: whole, candidates: [broken], threads: 2)
            let scores = try evaluator.scores(of: Self.chunks) { _ in }
            #expect(scores.candidates[0].divergences.allSatisfy { $0 == 0 })
            return
        }
        let ofCandidate = try error(whole, broken, from: 40)
        #expect(ofCandidate.code == .invalidInput && ofCandidate.location.hasPrefix("broken, chunk 4"))
        #expect(ofCandidate.message == "its predictions are not numbers" && !ofCandidate.remedy.isEmpty)
        #expect(try error(broken, whole).location.hasPrefix("broken (the reference), chunk "))
    }

    @Test func theVeryPositionIsNamed() throws {
        let error = try #require(throws: QuernError.self) {
            try EvaluationScoreTests.evaluate([0, 0, 0, 0], [[0, 0, 0, 0], [0, 0, 0, .nan]], tokens: [1, 1])
        }
        #expect(error.location == "candidate 1, chunk 7, position 101", "\(error)")
    }

    /// Finite, but e to the power of them is not.
    @Test(arguments: [Float(800), 300, 3e38]) func perplexitiesBeyondAllMeasure(loss: Float) throws {
        let scores = try EvaluationScoreTests.evaluate([0, 0, 0, 0], [[loss, 0, loss, 0]], tokens: [1, 1])
        let error = try #require(throws: QuernError.self) {
            try scores.summary(names: ["Q2_K"], chunks: 1, chunkTokens: 6)
        }
        #expect(error.location == "Q2_K" && error.message.contains("no perplexity"), "\(error)")
        let swapped = try EvaluationScoreTests.evaluate([loss, 0, loss, 0], [], tokens: [1, 1])
        let ofReference = try #require(throws: QuernError.self) {
            try swapped.summary(names: [], chunks: 1, chunkTokens: 6)
        }
        #expect(ofReference.location == "the reference")
    }

    /// As bytes may have them that another version wrote.
    @Test func scoresThatAreNoNumbers() throws {
        let scores = try EvaluationScoreTests.evaluate([0, 0], [[0, 1]], tokens: [1])
        let bytes = scores.bytes(chunks: 1)
        // Behind the head: the reference's loss, the candidate's loss, its divergence.
        for (place, name) in [(20, "the reference"), (24, "Q2_K"), (28, "Q2_K")] {
            var damaged = bytes
            damaged.replaceSubrange(place..<place + 4, with: [0, 0, 0xC0, 0x7F])
            let error = try #require(throws: QuernError.self) {
                try PositionScores.parse(damaged).scores.summary(names: ["Q2_K"], chunks: 1, chunkTokens: 6)
            }
            #expect(error.location == name, "\(error)")
        }
    }
}
