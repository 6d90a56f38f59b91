import QuernFormats
import QuernPlanning

/// A llama of two layers whose weights are zeros: what the rest of a checkpoint is, where one file of it is fuzzed.
enum SampleCheckpoint {
    /// - Parameter changed: files in place of the usual ones.
    static func folder(_ changed: [String: [UInt8]] = [:]) -> MemoryFolder {
        MemoryFolder(files.merging(changed) { _, changed in changed })
    }

    private static let files = [
        "config.json": Array(config.utf8), "tokenizer.json": Array(tokenizer.utf8), "model.safetensors": weights,
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
