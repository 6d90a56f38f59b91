import Foundation
import QuernFormats
import TestSupport
import Testing

/// Folders of safetensors that are quantized already, as users give them.
@Suite struct QuantizedSourceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func run(_ arguments: String...) async throws -> QuernProcess.Outcome {
        try await QuernProcess.run(arguments)
    }

    /// The sample in a scheme.
    private func made(_ scheme: String) async throws -> String {
        let outcome = try await run(
            "quantize", Fixtures.sample, "--to", scheme, "--output", folder.path, "--name", "first", "--quiet")
        try #require(outcome.status == 0, "\(outcome.errors)")
        return folder.path("first-\(scheme)")
    }

    /// Single precision keeps what loaders compute.
    @Test(arguments: ["W4A16_ASYM_G64", "FP8_BLOCK"]) func plainValuesAreTheSameModel(scheme: String) async throws {
        let source = try await made(scheme)
        let outcome = try await run(
            "quantize", source, "--to", "F32", "--output", folder.path, "--name", "second", "--quiet")
        try #require(outcome.status == 0, "\(outcome.errors)")
        try folder.write("[[5, 6, 7, 8, 9, 10, 11, 12], [90, 80, 70, 60, 50, 40, 30, 20]]", to: "tokens.json")
        var logits: [Data] = []
        for model in [source, folder.path("second-F32.gguf"), Fixtures.sample] {
            let output = folder.path("\(logits.count).safetensors")
            let outcome = try await run(
                "logits", model, "--tokens", folder.path("tokens.json"), "--output", output, "--quiet")
            try #require(outcome.status == 0, "\(outcome.errors)")
            logits.append(try Data(contentsOf: URL(fileURLWithPath: output)))
        }
        #expect(logits[0] == logits[1])
        #expect(logits[0] != logits[2])
    }

    @Test func roundingAgainNeedsConsent() async throws {
        let source = try await made("W8A16")
        for target in ["Q8_0", "FP8_DYNAMIC"] {
            let refused = try await run("quantize", source, "--to", target, "--output", folder.path, "--quiet")
            #expect(refused.status != 0 && refused.errors.contains("--allow-requantize"), "\(refused.errors)")
        }
        let outcome = try await run(
            "quantize", source, "--to", "Q8_0,FP8_DYNAMIC", "--output", folder.path, "--name", "second", "--quiet",
            "--allow-requantize")
        try #require(outcome.status == 0, "\(outcome.errors)")
        let again = try Checkpoint.open(path: folder.path("second-FP8_DYNAMIC"))
        let quantization = try #require(again.config["quantization_config"]?.object)
        #expect(quantization["format"]?.string == "float-quantized")
        // Everything else stays as it was, and scales have the model's own type.
        let original = try Checkpoint.open(path: Fixtures.sample)
        #expect(again.config.keys.filter { $0 != "quantization_config" } == original.config.keys)
        let types = Set(
            again.shards.flatMap(\.header.tensors).filter { $0.name.hasSuffix("_proj.weight_scale") }.map(\.type))
        #expect(types == [.bf16])
    }
}
