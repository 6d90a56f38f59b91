import Foundation
import TestSupport
import Testing

/// Evaluation as users run it: on its own, and as part of a job, on the sample checkpoint.
@Suite(.serialized) struct EvaluationTests {
    private static let text = Fixtures.sample + "/evaluation.txt"
    private static let amount = ["--text", text, "--chunks", "9", "--chunk-tokens", "128"]

    struct Estimate: Decodable, Equatable {
        let value: Double
        let error: Double
    }

    struct Summary: Decodable, Equatable {
        struct Candidate: Decodable, Equatable {
            struct Distribution: Decodable, Equatable {
                let mean: Estimate
                let minimum: Double
                let maximum: Double
            }
            let name: String
            let perplexity: Estimate
            let divergence: Distribution
            let sameTop: Estimate
            let layerErrors: [Double]
        }
        let chunks: Int
        let chunkTokens: Int
        let positions: Int
        let perplexity: Estimate
        let candidates: [Candidate]
    }

    private struct Results: Decodable {
        let evaluation: Summary
    }

    private func decode<Value: Decodable>(_: Value.Type, _ data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: data)
    }

    private func eval(_ models: String..., workers: Int = 2) async throws -> Summary {
        let outcome = try await QuernProcess.run(
            ["eval"] + models + Self.amount + ["--json", "--workers", "\(workers)"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.isEmpty && outcome.output.split(separator: "\n").count == 1)
        return try decode(Summary.self, Data(outcome.output.utf8))
    }

    /// A job with an evaluation of the same chunks.
    private func job(in folder: String, workers: Int = 2) async throws -> Summary {
        let recipe = folder + ".yaml"
        let yaml = """
            source: \(Fixtures.sample)
            targets: [{ gguf: F16 }, { gguf: Q4_K_M }, { gguf: Q2_K }, { compressed_tensors: W8A8 }]
            evaluation: { text: \(Self.text), chunk_tokens: 128, chunks: 9 }
            """
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: recipe))
        let outcome = try await QuernProcess.run([
            "quantize", "--recipe", recipe, "--output", folder, "--quiet", "--workers", "\(workers)",
        ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        return try decode(
            Results.self, try Data(contentsOf: URL(fileURLWithPath: folder + "/report.json"))
        ).evaluation
    }

    @Test func aJobJudgesItsArtifacts() async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let found = try await job(in: output)
        #expect(found.chunks == 9 && found.chunkTokens == 128 && found.positions == 9 * 63)
        #expect(found.candidates.map(\.name) == ["F16", "Q4_K_M", "Q2_K", "W8A8"])
        let (f16, q4, q2, w8) = (found.candidates[0], found.candidates[1], found.candidates[2], found.candidates[3])
        #expect(f16.divergence.mean.value < 1e-6 && f16.sameTop.value > 0.99)
        #expect(q4.divergence.mean.value > 1e-3 && q4.divergence.mean.value < 0.02)
        #expect(q2.divergence.mean.value > 4 * q4.divergence.mean.value)
        #expect(w8.divergence.mean.value > 1e-6 && w8.divergence.mean.value < q4.divergence.mean.value)
        #expect(q2.sameTop.value < q4.sameTop.value && q4.sameTop.value < f16.sameTop.value)
        #expect(found.candidates.allSatisfy { $0.divergence.minimum >= 0 && $0.layerErrors.count == 4 })
        #expect(zip(q4.layerErrors, q2.layerErrors).allSatisfy { $0 < $1 })
        let page = try String(contentsOfFile: output + "/report.html", encoding: .utf8)
        #expect(page.contains("<h2>Evaluation</h2>") && page.contains("Error layer by layer"))
        #expect(try await QuernProcess.run(["verify", output]).status == 0)

        // The same, asked of the files one by one, and whatever the number of threads.
        for (candidate, suffix) in [(q4, ".gguf"), (q2, ".gguf"), (w8, "")] {
            let alone = try await eval(
                Fixtures.sample, output + "/tiny-llama-\(candidate.name)\(suffix)", workers: candidate == q4 ? 1 : 3)
            #expect(alone.perplexity == found.perplexity && alone.positions == found.positions)
            let one = try #require(alone.candidates.first)
            #expect(one.perplexity == candidate.perplexity && one.divergence == candidate.divergence)
            #expect(one.sameTop == candidate.sameTop && one.layerErrors == candidate.layerErrors)
        }
        let other = folder.path("other")
        #expect(try await job(in: other, workers: 1) == found)
        for name in ["report.html", "report.json", "manifest.json"] {
            let pair = try [output, other].map { try Data(contentsOf: URL(fileURLWithPath: "\($0)/\(name)")) }
            #expect(pair[0] == pair[1], "\(name)")
        }
    }

    @Test func aModelIsNotApartFromItself() async throws {
        let found = try await eval(Fixtures.sample, Fixtures.sample)
        let candidate = try #require(found.candidates.first)
        #expect(candidate.perplexity == found.perplexity)
        #expect(candidate.divergence.maximum == 0 && candidate.divergence.mean == Estimate(value: 0, error: 0))
        #expect(candidate.sameTop == Estimate(value: 1, error: 0))
        #expect(candidate.layerErrors == [0, 0, 0, 0])
        let alone = try await eval(Fixtures.sample)
        #expect(alone.perplexity == found.perplexity && alone.candidates.isEmpty)
        // What the model was trained on is of the same kind as this text.
        #expect(alone.perplexity.value > 20 && alone.perplexity.value < 150 && alone.perplexity.error > 0)
    }

    @Test func printsATable() async throws {
        let outcome = try await QuernProcess.run(["eval", Fixtures.sample, Fixtures.sample] + Self.amount)
        #expect(outcome.status == 0, "\(outcome.errors)")
        for text in [
            "evaluation.txt: 9 chunks of 128 tokens, 567 positions scored", "Perplexity, reference", "KL divergence",
            "Same top token", "100.000  ±     0.000  %", "99.9 %", "After layer",
        ] {
            #expect(outcome.output.contains(text), "\(outcome.output)")
        }
    }

    @Test(arguments: [
        (["eval", Fixtures.sample, "--text", "/nowhere"], 1, "/nowhere"),
        (["eval", "/nowhere", "--text", text], 1, "/nowhere"),
        (["eval", Fixtures.sample, "--text", text, "--chunks", "0"], 2, "--chunks"),
        (["eval", Fixtures.sample, "--text", text, "--chunk-tokens", "3"], 2, "--chunk-tokens"),
        (["eval", Fixtures.sample, "--text", Fixtures.sample + "/config.json"], 1, "two chunks"),
        (
            ["eval", Fixtures.sample, Fixtures.path("reference/qwen3/checkpoint"), "--text", text], 1,
            "made from the same checkpoint"
        ),
        (["plan", Fixtures.sample, "--to", "Q8_0", "--evaluation", "/nowhere"], 1, "/nowhere"),
        (["plan", Fixtures.sample, "--to", "Q8_0", "--evaluation-chunks", "3"], 2, "--evaluation TEXT"),
    ])
    func refusesPlainly(arguments: [String], status: Int32, word: String) async throws {
        let outcome = try await QuernProcess.run(arguments)
        #expect(outcome.status == status && outcome.output.isEmpty)
        #expect(outcome.errors.contains(word), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1)
    }
}
