import Foundation
import QuernFormats
import TestSupport
import Testing

/// Commands that compute on a model and leave nothing behind when they end early: logits and eval.
@Suite struct ModelCommandTests {
    private static let text = Fixtures.sample + "/evaluation.txt"

    /// Sequences of as many tokens.
    private func tokens(_ sequences: Int, of length: Int, in folder: TemporaryFolder) throws -> String {
        let sequence = "[" + (0..<length).map { String($0 % 2000) }.joined(separator: ",") + "]"
        let list = [String](repeating: sequence, count: sequences).joined(separator: ",")
        return try folder.write("[\(list)]", to: "tokens.json")
    }

    @Test func logitsAreWritten() async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("logits.safetensors")
        let outcome = try await QuernProcess.run([
            "logits", Fixtures.sample, "--tokens", tokens(3, of: 5, in: folder), "--output", output,
        ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let tensor = try #require(SafetensorsHeader.read(from: FileByteSource(path: output)).tensors.first)
        #expect(tensor.name == "logits" && tensor.shape == [3, 5, 2048])
    }

    /// The model was made for 1024.
    @Test func sequencesHaveALimit() async throws {
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run([
            "logits", Fixtures.sample, "--tokens", tokens(1, of: 1025, in: folder), "--output", folder.path("logits"),
        ])
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("sequences of 1025 tokens, and 1024 are the most"), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 1)
    }

    @Test(arguments: ["logits", "eval"]) func interruptedWorkHasToBeginAgain(command: String) async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("logits.safetensors")
        // So long that the work does not end before the signal, however busy the machine is.
        let once = try Data(contentsOf: URL(fileURLWithPath: Self.text))
        try folder.write((0..<20).reduce(into: Data()) { text, _ in text += once }, to: "text.txt")
        let process = try QuernProcess(
            command == "eval"
                ? ["eval", Fixtures.sample, Fixtures.sample, "--text", folder.path("text.txt"), "--workers", "1"]
                : [
                    "logits", Fixtures.sample, "--tokens", tokens(300, of: 1000, in: folder), "--output", output,
                    "--threads", "1",
                ])
        // Once it computes.
        await process.send(signal: SIGINT) {
            !process.errorsSoFar.isEmpty || FileManager.default.fileExists(atPath: output + ".partial")
        }
        let outcome = await process.outcome()
        #expect(outcome.status == 5 && outcome.output.isEmpty)
        let last = outcome.errors.split(separator: "\n").last.map(String.init)
        #expect(last == "quern: error: interrupted. Nothing was kept: start it again", "\(outcome.errors)")
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(left.allSatisfy { ["tokens.json", "text.txt"].contains($0) }, "\(left)")
    }

    @Test func aBrokenCandidateIsNamed() async throws {
        let folder = try TemporaryFolder()
        for name in try FileManager.default.contentsOfDirectory(atPath: Fixtures.sample)
        where !name.hasSuffix(".txt") {
            try folder.write(
                try Data(contentsOf: URL(fileURLWithPath: "\(Fixtures.sample)/\(name)")), to: "broken/\(name)")
        }
        let shard = "model-00002-of-00003.safetensors"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path("broken/\(shard)")))
        // The last two values of the file, in BF16 or F16 alike.
        bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0xFF, 0xFF, 0xFF, 0xFF])
        try folder.write(bytes, to: "broken/\(shard)")
        let outcome = try await QuernProcess.run([
            "eval", Fixtures.sample, folder.path("broken"), "--text", Self.text, "--chunks", "2", "--quiet", "--json",
        ])
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("quern: error: broken, chunk 0, position "), "\(outcome.errors)")
        #expect(outcome.errors.contains("its predictions are not numbers"))
        #expect(outcome.errors.split(separator: "\n").count == 1)
    }
}
