import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Folders of safetensors against those of llm-compressor's `model_free_ptq`: every tensor by type and sha256. That one
/// rounds the token embedding, too, which no loader would read; here it stays as it was.
@Suite struct CompressedTensorsTests {
    static let schemes = [
        "W4A16", "W4A16_ASYM", "W8A16", "W8A8", "FP8_DYNAMIC", "FP8_BLOCK", "NVFP4A16", "MXFP4", "MXFP4A16",
    ]

    @Test func everyTensorEqualsTheReference() async throws {
        let expected = try JSONDecoder().decode(
            [String: [String: [String]]].self,
            from: try Data(contentsOf: Fixtures.url("compressed-tensors/tiny-llama.json")))
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run([
            "quantize", Fixtures.sample, "--to", Self.schemes.joined(separator: ","), "--output", folder.path,
            "--name", "m", "--quiet",
        ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let original = try Self.digests(in: Fixtures.sample)
        for scheme in Self.schemes {
            var tensors = try #require(expected[scheme])
            let embedding = "model.embed_tokens.weight"
            tensors[embedding] = original[embedding]
            #expect(try Self.digests(in: folder.path("m-\(scheme)")) == tensors, "\(scheme)")
        }
        let verified = try await QuernProcess.run(["verify", folder.path])
        #expect(verified.status == 0, "\(verified.errors)")
    }

    /// Against bitsandbytes' own tensors. Magnitudes of NF4 are left out: where its CPU code takes the farther of two codes
    /// (80 of 49152 here), ours is the nearer one.
    @Test func everyTensorEqualsThatOfBitsandbytes() async throws {
        let expected = try JSONDecoder().decode(
            [String: [String: [String]]].self,
            from: try Data(contentsOf: Fixtures.url("compressed-tensors/tiny-llama-bitsandbytes.json")))
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run([
            "quantize", Fixtures.sample, "--to", "BNB_NF4,BNB_INT8", "--output", folder.path, "--name", "m", "--quiet",
        ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        for (scheme, tensors) in expected {
            let found = try Self.digests(in: folder.path("m-\(scheme)"))
            for (name, digest) in tensors { #expect(found[name] == digest, "\(scheme): \(name)") }
            let kept = found.keys.filter { tensors[$0] == nil && !$0.hasSuffix(".weight.absmax") }
            #expect(kept.allSatisfy { $0.hasSuffix("norm.weight") || $0.contains("embed") || $0.contains("lm_head") })
        }
        let verified = try await QuernProcess.run(["verify", folder.path])
        #expect(verified.status == 0, "\(verified.errors)")
    }

    @Test func verifyFindsWhatWasChanged() async throws {
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run([
            "quantize", Fixtures.sample, "--to", "FP8_DYNAMIC", "--output", folder.path, "--name", "m", "--quiet",
        ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let path = folder.path("m-FP8_DYNAMIC/model.safetensors")
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[bytes.count - 5] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let changed = try await QuernProcess.run(["verify", folder.path])
        #expect(changed.status == 6)
        #expect((changed.output + changed.errors).contains("_proj.weight"))
    }

    @Test func theFolderHasAllThatLoadersRead() async throws {
        let folder = try TemporaryFolder()
        let outcome = try await QuernProcess.run([
            "quantize", Fixtures.sample, "--to", "W4A16_CHANNEL", "--output", folder.path, "--name", "m", "--quiet",
            "--split-max-size", "1MB",
        ])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let checkpoint = try Checkpoint.open(path: folder.path("m-W4A16_CHANNEL"))
        #expect(checkpoint.shards.count > 2)
        #expect(checkpoint.shards.allSatisfy { $0.header.metadata == ["format": "pt"] })
        #expect(checkpoint.config["quantization_config"]?.object?["quantization_status"]?.string == "compressed")
        for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
            #expect(
                try checkpoint.bytes(name)
                    == [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(Fixtures.sample)/\(name)"))))
        }
        let card = try #require(try checkpoint.text("README.md"))
        #expect(card.contains("vllm serve") && card.contains("W4A16_CHANNEL"))
    }

    /// Types and first digits of the sha256 of all tensors of a folder, by name.
    private static func digests(in folder: String) throws -> [String: [String]] {
        var digests: [String: [String]] = [:]
        for shard in try Checkpoint.open(path: folder).shards {
            for tensor in shard.header.tensors {
                var bytes = try shard.file.bytes(at: tensor.offset, count: Int(tensor.length))
                // A description in words is filled up with spaces.
                if tensor.name.contains("quant_state") { bytes = bytes.reversed().drop { $0 == 0x20 }.reversed() }
                digests[tensor.name] = [tensor.type.rawValue, String(Digest(of: bytes).hex.prefix(16))]
            }
        }
        return digests
    }
}
