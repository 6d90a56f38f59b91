import Foundation
import QuernFormats
import TestSupport
import Testing

/// Folders of safetensors that would not load get no manifest, and `verify` says why.
@Suite struct CompressedFaultTests {
    private func quantize(_ arguments: [String], to folder: TemporaryFolder) async throws -> QuernProcess.Outcome {
        try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--to", "W8A8", "--output", folder.path, "--name", "m", "--quiet"] + arguments
        )
    }

    /// What loaders would take for the model is left from another run, in one file or in several.
    @Test(arguments: [[[], ["--split-max-size", "1MB"]], [["--split-max-size", "1MB"], []]] as [[[String]]])
    func filesOfAnotherRunAreNotPublished(runs: [[String]]) async throws {
        let folder = try TemporaryFolder()
        #expect(try await quantize(runs[0], to: folder).status == 0)
        try FileManager.default.removeItem(atPath: folder.path("manifest.json"))
        let outcome = try await quantize(runs[1], to: folder)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("m-W8A8") && outcome.errors.contains("Remove"), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.path("manifest.json")))
    }

    @Test func verifyReadsWhatLoadersRead() async throws {
        let folder = try TemporaryFolder()
        #expect(try await quantize([], to: folder).status == 0)
        let path = folder.path("m-W8A8/config.json")
        let config = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        try #require(config.contains("\"lm_head\""))
        try folder.write(
            config.replacing("\"lm_head\"", with: "\"model.layers.0.mlp.up_proj\""), to: "m-W8A8/config.json")
        let verified = try await QuernProcess.run(["verify", folder.path])
        #expect(verified.status == 6)
        for line in ["lm_head: quantization is none", "model.layers.0.mlp.up_proj: quantization of an ignored layer"] {
            #expect(verified.output.contains(line), "\(verified.output)")
        }
    }
}
