import QuernFormats

extension Family {
    /// GLM 4 (0414): norms before and after, half of each head rotates, gate and up in one matrix.
    static let glm4 = Family(
        className: "Glm4ForCausalLM",
        architecture: "glm4",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 2, headSize: .fixed(128), contextLength: 131_072, normEpsilon: 1.5625e-7,
            partialRotaryFactor: 0.5),
        globalTensors: .decoder,
        layerTensors: [
            ("input_layernorm", "attn_norm"), ("post_self_attn_layernorm", "post_attention_norm"),
            ("post_attention_layernorm", "ffn_norm"), ("post_mlp_layernorm", "post_ffw_norm"),
        ].map { TensorRule(source: "\($0.0).weight", target: "\($0.1).weight", shape: [.hidden]) }
            + .attention(bias: .ifSet("attention_bias", missing: true), outputBias: .optional)
            + [
                TensorRule(
                    source: "mlp.gate_up_proj.weight", target: "ffn_up.weight", shape: [2 * .feedForward, .hidden]),
                TensorRule(
                    source: "mlp.down_proj.weight", target: "ffn_down.weight", shape: [.hidden, .feedForward]),
            ],
        extraKeys: { config in
            let size = Int(Double(config.headSize) * config.partialRotaryFactor)
            return [("rope.dimension_count", .uint32(UInt32(size)))]
        },
        hints: { try .yarn($0) },
        tokenizer: TokenizerStyle(
            splits: ["dbrx": "glm4", "llama-bpe": "glm4"],
            specialTokens: [
                (.eos, "<|endoftext|>"), (.eot, "<|user|>"), (.unk, "<|endoftext|>"), (.bos, "<|endoftext|>"),
            ]))
}

extension Architecture {
    static let glm4 = Architecture(
        name: "glm4", pairing: .neighbours,
        attentionNorms: BlockNorms(before: "attn_norm", after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(before: "ffn_norm", after: "post_ffw_norm"), feedForward: .fusedGate)
}
