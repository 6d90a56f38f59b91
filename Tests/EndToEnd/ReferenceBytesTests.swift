import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// The whole program against the reference quantizer: every tensor of every preset, by type and sha256.
@Suite struct ReferenceBytesTests {
    static let sources = ["llama/checkpoint", "qwen3/checkpoint", "mixtral/source.gguf"]

    @Test(arguments: sources, [("cpu", false), ("cpu", true), ("cuda", false), ("cuda", true)])
    func everyTensorEqualsTheReference(source: String, how: (device: String, withImportance: Bool)) async throws {
        let (device, withImportance) = how
        let family = String(source.split(separator: "/")[0])
        let expected = try Expectation.read(family: family)[withImportance ? "with_imatrix" : "without_imatrix"]
        let presets = try #require(expected)
        let folder = try TemporaryFolder()
        var arguments = [
            "quantize", Fixtures.url("reference/\(source)").path, "--to", presets.keys.sorted().joined(separator: ","),
            "--output", folder.path, "--name", "model", "--quiet", "--device", device,
        ]
        if withImportance { arguments += ["--imatrix", Fixtures.url("reference/\(family)/imatrix.gguf").path] }
        let cards = try TestedCards()
        let outcome = try await QuernProcess.run(
            arguments, environment: device == "cuda" ? try cards.environment() : [:])
        try #require(outcome.status == 0, "\(outcome.errors)")
        // Nor that a card was given up, and the processor did the work.
        #expect(outcome.errors.isEmpty)
        for (preset, tensors) in presets {
            let made = try TensorDigests.of(folder.path + "/model-\(preset).gguf")
            #expect(made == tensors, "\(family) \(preset)")
        }
    }
}

/// Tensors by name, each with its type and the first 16 digits of its sha256.
enum TensorDigests {
    static func of(_ path: String) throws -> [String: [String]] {
        let model = try GGUFModel.open(path: path)
        return try Dictionary(
            uniqueKeysWithValues: model.tensors.map { tensor in
                let bytes = try model.files[tensor.file].bytes(at: tensor.offset, count: Int(tensor.bytes))
                return (tensor.name, ["\(tensor.type)", String(Digest(of: bytes).hex.prefix(16))])
            })
    }
}

enum Expectation {
    static func read(family: String) throws -> [String: [String: [String: [String]]]] {
        let data = try Data(contentsOf: Fixtures.url("reference/\(family)/expected.json"))
        return try JSONDecoder().decode([String: [String: [String: [String]]]].self, from: data)
    }
}
