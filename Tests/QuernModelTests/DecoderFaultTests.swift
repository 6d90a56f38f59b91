import QuernFormats
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// What a forward pass refuses, and how it ends early.
@Suite struct DecoderFaultTests {
    private func model(
        architecture: String? = nil, without: String? = nil, renaming: (String, String)? = nil,
        keys: [String: GGUFValue?] = [:]
    ) throws -> SourceModel {
        let model = try DecoderTests.model("qwen3moe")
        let tensors = model.tensors.filter { $0.name != without }.map { tensor in
            guard let renaming, tensor.name == renaming.0 else { return tensor }
            return SourceTensor(
                name: renaming.1, shape: tensor.shape, type: tensor.type, extents: tensor.extents)
        }
        let metadata = model.metadata.compactMap { key, value -> (key: String, value: GGUFValue)? in
            guard let change = keys[key] else { return (key, value) }
            return change.map { (key, $0) }
        }
        return SourceModel(
            name: model.name, architecture: architecture ?? model.architecture, metadata: metadata, tensors: tensors,
            files: model.files, blobs: [:])
    }

    private func refusal(_ model: SourceModel) -> QuernError? {
        do {
            _ = try DecoderGraph.of(model)
            return nil
        } catch { return error as? QuernError }
    }

    @Test func unknownArchitectureNamesThoseKnown() throws {
        let error = try #require(refusal(model(architecture: "mamba")))
        #expect(error.code == .unsupported)
        #expect(
            error.message.contains("mamba") && error.remedy.contains("qwen3moe") && error.remedy.contains("gpt-oss"))
    }

    @Test(arguments: [
        "token_embd.weight", "output_norm.weight", "blk.1.attn_k.weight", "blk.0.ffn_down_exps.weight",
        "blk.0.attn_q_norm.weight",
    ]) func missingTensor(_ name: String) throws {
        let error = try #require(refusal(model(without: name)))
        #expect(error.code == .invalidInput && error.location.contains(name))
    }

    @Test func tensorWithoutAPlace() throws {
        let error = try #require(refusal(model(renaming: ("output.weight", "blk.0.attn_gate.weight"))))
        #expect(error.code == .unsupported && error.location.contains("blk.0.attn_gate.weight"))
    }

    @Test(arguments: [
        ("qwen3moe.attention.head_count", GGUFValue.uint32(3)), ("qwen3moe.attention.head_count", .uint32(0)),
        ("qwen3moe.attention.head_count_kv", .uint32(0)), ("qwen3moe.block_count", .uint32(3)),
        ("qwen3moe.block_count", .uint64(1 << 60)), ("qwen3moe.embedding_length", .uint32(17)),
        ("qwen3moe.expert_used_count", .uint32(5)), ("qwen3moe.attention.key_length", .uint32(7)),
        ("qwen3moe.attention.layer_norm_rms_epsilon", .string("small")), ("qwen3moe.rope.freq_base", .float32(-1)),
    ]) func contradictions(_ key: String, _ value: GGUFValue) throws {
        #expect(try #require(refusal(model(keys: [key: value]))).code == .invalidInput)
    }

    @Test(arguments: [[Int32](), [32], [-1]]) func tokensOutsideTheVocabulary(_ chunk: [Int32]) throws {
        let decoder = try Decoder(model: model(), threads: 1)
        #expect(throws: QuernError.self) { try decoder.forward(chunks: [[1, 2], chunk]) { _ in } }
    }

    @Test func progressEndsTheWork() throws {
        struct Enough: Error {}
        let decoder = try Decoder(model: model(), threads: 2)
        var shares: [Double] = []
        #expect(throws: Enough.self) {
            try decoder.forward(chunks: [[1, 2, 3]]) {
                shares.append($0)
                if $0 > 0.5 { throw Enough() }
            }
        }
        #expect(shares == shares.sorted() && shares.allSatisfy { (0...1).contains($0) } && shares.count > 3)
        // It can be used again.
        #expect(try decoder.forward(chunks: [[1, 2, 3]]) { _ in }.positions(of: 0) == 3)
    }
}
