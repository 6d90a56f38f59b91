import QuernFormats

extension Family {
    /// Qwen 3 with experts: attention as Qwen 3.
    static let qwen3Moe = Family(
        className: "Qwen3MoeForCausalLM",
        architecture: "qwen3moe",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 4, headSize: .impliedQuotient, contextLength: 32_768, experts: .init()),
        globalTensors: .decoder,
        layerTensors: .blockNorms
            + .attention(bias: .ifSet("attention_bias"), outputBias: .ifSet("attention_bias"))
            + .headNorms()
            + [TensorRule(source: "mlp.gate.weight", target: "ffn_gate_inp.weight", shape: [.experts, .hidden])]
            + .experts(),
        extraKeys: { config in
            [("expert_feed_forward_length", .uint32(UInt32(config.experts?.feedForwardSize ?? 0)))]
        },
        hints: { config in
            var hints = try ForwardHints.qwen(config, everyLayer: true)
            hints.normalizesExpertWeights = try config.flag("norm_topk_prob") ?? false
            hints.expertScoring = .softmax
            return hints
        })
}

extension Architecture {
    static let qwen3moe = Architecture(name: "qwen3moe", pairing: .halves, queryKeyNorms: .eachHead)
}
