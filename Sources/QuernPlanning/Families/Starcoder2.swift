extension Family {
    /// StarCoder 2: LayerNorm, biases everywhere, a feed-forward without a gate.
    static let starcoder2 = Family(
        className: "Starcoder2ForCausalLM",
        architecture: "starcoder2",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 2, headSize: .impliedQuotient, contextLength: 4096, normEpsilon: 1e-5, hasLayerNorm: true,
            tiedHead: true),
        globalTensors: .decoder + [
            TensorRule(source: "model.norm.bias", target: "output_norm.bias", shape: [.hidden])
        ],
        layerTensors: [("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm")].flatMap {
            [
                TensorRule(source: "\($0.0).weight", target: "\($0.1).weight", shape: [.hidden]),
                TensorRule(source: "\($0.0).bias", target: "\($0.1).bias", shape: [.hidden]),
            ]
        }
            + .attention(bias: .ifSet("use_bias", missing: true), outputBias: .ifSet("use_bias", missing: true))
            + .linear(
                "mlp.c_fc", "ffn_up", [.feedForward, .hidden], bias: .ifSet("use_bias", missing: true))
            + .linear(
                "mlp.c_proj", "ffn_down", [.hidden, .feedForward], bias: .ifSet("use_bias", missing: true)),
        hints: { config in
            var hints = try ForwardHints.yarn(config)
            hints.windows = try config.windows(missing: nil)
            return hints
        })
}

extension Architecture {
    static let starcoder2 = Architecture(
        name: "starcoder2", pairing: .halves, norm: .layer, feedForward: .ungated, activation: .gelu)
}
