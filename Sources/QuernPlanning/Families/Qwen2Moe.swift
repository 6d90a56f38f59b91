import QuernFormats

extension Family {
    /// Qwen 1.5 and 2 with experts: attention as Qwen 2, and a shared expert behind a gate.
    static let qwen2Moe = Family(
        className: "Qwen2MoeForCausalLM",
        architecture: "qwen2moe",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 16, headSize: .impliedQuotient, contextLength: 32_768, experts: .init()),
        // llama.cpp loads no model of this architecture without a head of its own.
        globalTensors: .decoder(head: .always),
        layerTensors: .blockNorms
            + .attention(bias: .ifSet("qkv_bias", missing: true), outputBias: .ifSet("attention_bias"))
            + [
                TensorRule(source: "mlp.gate.weight", target: "ffn_gate_inp.weight", shape: [.experts, .hidden]),
                TensorRule(
                    source: "mlp.shared_expert_gate.weight", target: "ffn_gate_inp_shexp.weight",
                    shape: [.constant(1), .hidden]),
            ]
            + .experts() + .sharedExperts("mlp.shared_expert"),
        extraKeys: { config in
            guard let experts = config.experts else { return [] }
            return [
                ("expert_feed_forward_length", .uint32(UInt32(experts.feedForwardSize))),
                ("expert_shared_feed_forward_length", .uint32(UInt32(experts.sharedSize))),
            ]
        },
        hints: { config in
            var hints = try ForwardHints.qwen(config)
            hints.normalizesExpertWeights = try config.flag("norm_topk_prob") ?? false
            hints.expertScoring = .softmax
            return hints
        })
}

extension Architecture {
    static let qwen2moe = Architecture(
        name: "qwen2moe", pairing: .halves, routing: RoutingStyle(normalizes: false))
}
