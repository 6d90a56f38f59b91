import QuernFormats

extension Family {
    /// DeepSeek V3 and R1: latent attention, many experts in groups, one that all tokens go through.
    static let deepseekV3 = Family(
        className: "DeepseekV3ForCausalLM",
        architecture: "deepseek2",
        defaults: ModelConfig.Defaults(
            keyValueHeads: nil, headSize: .fixed(64), contextLength: 4096,
            experts: .init(groups: 8, usedGroups: 4), hasLatentAttention: true),
        globalTensors: .decoder(head: .untied),
        layerTensors: .blockNorms + latentAttention + .feedForward(layers: .dense) + deepseekExperts,
        leavesOutExtraLayers: true,
        extraKeys: deepseekKeys,
        hints: { config in
            var hints = try ForwardHints.yarn(config)
            hints.normalizesExpertWeights = try config.flag("norm_topk_prob") ?? true
            hints.expertScoring = .sigmoid
            if let latent = config.latentAttention {
                var scale = 1 / Double(latent.keyStill + latent.keyRotated).squareRoot()
                if case .yarn(let yarn) = config.rope.scaling, let magnitude = yarn.magnitudeOfAll, magnitude != 0 {
                    scale *= yarn.scale(magnitude) * yarn.scale(magnitude)
                }
                hints.attentionScale = scale
            }
            return hints
        })

    private static let latentAttention: [TensorRule] = {
        let rank = Axis { $0.latentAttention?.rank ?? 0 }
        let queryRank = Axis { $0.latentAttention?.queryRank ?? 0 }
        let still = Axis { $0.latentAttention?.keyStill ?? 0 }
        let rotated = Axis { $0.latentAttention?.keyRotated ?? 0 }
        let value = Axis { $0.latentAttention?.value ?? 0 }
        return [
            TensorRule(
                source: "self_attn.q_a_proj.weight", target: "attn_q_a.weight", shape: [queryRank, .hidden],
                presence: .ifPresent("q_lora_rank")),
            TensorRule(
                source: "self_attn.q_a_layernorm.weight", target: "attn_q_a_norm.weight", shape: [queryRank],
                presence: .ifPresent("q_lora_rank")),
            TensorRule(
                source: "self_attn.q_b_proj.weight", target: "attn_q_b.weight",
                shape: [.heads * (still + rotated), queryRank], presence: .ifPresent("q_lora_rank")),
            TensorRule(
                source: "self_attn.q_proj.weight", target: "attn_q.weight",
                shape: [.heads * (still + rotated), .hidden], presence: .unlessPresent("q_lora_rank")),
            TensorRule(
                source: "self_attn.kv_a_proj_with_mqa.weight", target: "attn_kv_a_mqa.weight",
                shape: [rank + rotated, .hidden]),
            TensorRule(source: "self_attn.kv_a_layernorm.weight", target: "attn_kv_a_norm.weight", shape: [rank]),
            TensorRule(
                source: "self_attn.kv_b_proj.weight",
                outputs: [
                    .init(
                        target: "attn_k_b.weight",
                        cut: .transposedRows(from: .constant(0), count: still, of: still + value)),
                    .init(target: "attn_v_b.weight", cut: .rows(from: still, count: value, of: still + value)),
                ], shape: [.heads * (still + value), rank]),
            TensorRule(
                source: "self_attn.o_proj.weight", target: "attn_output.weight", shape: [.hidden, .heads * value]),
        ]
    }()

    private static let deepseekExperts: [TensorRule] =
        [
            TensorRule(
                source: "mlp.gate.weight", target: "ffn_gate_inp.weight", shape: [.experts, .hidden], layers: .sparse),
            TensorRule(
                source: "mlp.gate.e_score_correction_bias", target: "exp_probs_b.bias", shape: [.experts],
                layers: .sparse),
        ] + .experts(layers: .sparse) + .sharedExperts("mlp.shared_experts", layers: .sparse)

    @Sendable private static func deepseekKeys(_ config: ModelConfig) throws -> Keys {
        guard let latent = config.latentAttention, let experts = config.experts else { return [] }
        func number(_ value: Int) -> GGUFValue { .uint32(UInt32(value)) }
        var keys: Keys = [
            ("leading_dense_block_count", number(experts.leadingDense)), ("vocab_size", number(config.vocabularySize)),
        ]
        if let rank = latent.queryRank { keys.append(("attention.q_lora_rank", number(rank))) }
        keys += [
            ("attention.kv_lora_rank", number(latent.rank)),
            ("attention.key_length_mla", number(latent.keyStill + latent.keyRotated)),
            ("attention.value_length_mla", number(latent.value)),
            ("expert_feed_forward_length", number(experts.feedForwardSize)),
            ("expert_shared_count", number(experts.sharedCount ?? 1)),
            ("expert_weights_scale", .float32(Float(try config.number("routed_scaling_factor") ?? 2.5))),
            ("expert_weights_norm", .bool(try config.flag("norm_topk_prob") ?? true)),
            ("rope.dimension_count", number(latent.keyRotated)),
        ]
        if case .yarn(let yarn) = config.rope.scaling, let magnitude = yarn.magnitudeOfAll {
            keys.append(("rope.scaling.yarn_log_multiplier", .float32(Float(0.1 * magnitude))))
        }
        return keys
    }
}

extension Architecture {
    /// Files without a gating function are of DeepSeek-V2, which takes the softmax and leaves it as it is.
    static let deepseek2 = Architecture(
        name: "deepseek2", pairing: .neighbours, attention: .latent, routing: RoutingStyle(normalizes: false))
}
