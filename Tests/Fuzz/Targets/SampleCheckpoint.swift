import Foundation
import QuernFormats

/// A llama of two layers whose weights are zeros: what the rest of a checkpoint is, where one file of it is fuzzed.
enum SampleCheckpoint {
    /// - Parameters:
    ///   - changed: files in place of the usual ones.
    ///   - modelType: `model_type` of a fixture whose tensors are taken; those of the llama for others.
    static func folder(_ changed: [String: [UInt8]] = [:], modelType: String = "") -> MemoryFolder {
        var files = files.merging(changed) { _, changed in changed }
        guard let (header, size) = fixtures[modelType] else { return MemoryFolder(files) }
        files[weightsName] = header
        return MemoryFolder(files, sizes: [weightsName: size])
    }

    private static let weightsName = "model.safetensors"

    /// Headers of models of all families, and how long their files are.
    private static let fixtures: [String: (header: [UInt8], size: UInt64)] = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/checkpoints")
        let folders = (try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)) ?? []
        var found: [String: (header: [UInt8], size: UInt64)] = [:]
        for folder in folders {
            guard let config = try? Data(contentsOf: folder.appendingPathComponent("config.json")),
                let type = try? JSONValue.parse([UInt8](config)).object?["model_type"]?.string,
                let header = try? Data(contentsOf: folder.appendingPathComponent("\(weightsName).header")),
                let tensors = try? JSONValue.parse([UInt8](header.dropFirst(8))).object
            else { continue }
            let ends = tensors.entries.compactMap { $0.value.object?["data_offsets"]?.array?.last?.integer }
            found[type] = ([UInt8](header), UInt64(header.count) + UInt64(ends.max() ?? 0))
        }
        return found
    }()

    private static let files = [
        "config.json": Array(config.utf8), "tokenizer.json": Array(tokenizer.utf8), weightsName: weights,
    ]

    private static let config = """
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2,
        "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 8,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 1024, "torch_dtype": "bfloat16"}
        """

    private static let tokenizer = """
        {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<s>": 3}, "merges": ["a b"]},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
        "added_tokens": [{"id": 3, "content": "<s>", "special": true}]}
        """

    private static let weights: [UInt8] = {
        var shapes = [
            ("model.embed_tokens.weight", [8, 256]), ("lm_head.weight", [8, 256]), ("model.norm.weight", [256]),
        ]
        for layer in 0..<2 {
            let parts = [
                ("input_layernorm", [256]), ("post_attention_layernorm", [256]), ("self_attn.q_proj", [256, 256]),
                ("self_attn.k_proj", [128, 256]), ("self_attn.v_proj", [128, 256]), ("self_attn.o_proj", [256, 256]),
                ("mlp.gate_proj", [512, 256]), ("mlp.up_proj", [512, 256]), ("mlp.down_proj", [256, 512]),
            ]
            shapes += parts.map { ("model.layers.\(layer).\($0.0).weight", $0.1) }
        }
        let tensors = shapes.map { SafetensorsTensorInfo(name: $0.0, type: .bf16, shape: $0.1) }
        let elements = shapes.reduce(0) { $0 + $1.1.reduce(1, *) }
        return ((try? SafetensorsWriter.header(tensors: tensors)) ?? []) + [UInt8](repeating: 0, count: 2 * elements)
    }()
}
