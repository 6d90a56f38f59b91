extension Family {
    /// OLMo 2: norms on outputs only, and over all of q and all of k.
    static let olmo2 = Family(
        className: "Olmo2ForCausalLM",
        architecture: "olmo2",
        defaults: ModelConfig.Defaults(
            keyValueHeads: nil, headSize: .impliedQuotient, contextLength: 2048, normEpsilon: 1e-5),
        globalTensors: .decoder,
        layerTensors: [
            TensorRule(
                source: "post_attention_layernorm.weight", target: "post_attention_norm.weight", shape: [.hidden]),
            TensorRule(
                source: "post_feedforward_layernorm.weight", target: "post_ffw_norm.weight", shape: [.hidden]),
            TensorRule(source: "self_attn.q_norm.weight", target: "attn_q_norm.weight", shape: [.queries]),
            TensorRule(source: "self_attn.k_norm.weight", target: "attn_k_norm.weight", shape: [.keys]),
        ]
            + .attention(bias: .ifSet("attention_bias"), outputBias: .ifSet("attention_bias")) + .feedForward(),
        hints: { try .yarn($0) })
}

extension Architecture {
    /// Norms after each half of a block only. OLMo 3 comes under the same name, with windows.
    static let olmo2 = Architecture(
        name: "olmo2", pairing: .halves, attentionNorms: BlockNorms(after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(after: "post_ffw_norm"), queryKeyNorms: .allHeads,
        windows: .period(4, rope: .unscaled(base: nil)))
}
