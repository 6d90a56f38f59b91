import QuernFormats

/// The keys that say how the network is built.
enum ArchitectureKeys {
    /// What nearly every family writes before `general.file_type`, in the order of the reference converter; without
    /// the architecture's prefix.
    static func base(_ config: ModelConfig) -> [(key: String, value: GGUFValue)] {
        var keys: [(key: String, value: GGUFValue)] = []
        func add(_ key: String, _ value: Int) { keys.append((key, .uint32(UInt32(value)))) }
        func add(_ key: String, _ value: Double) { keys.append((key, .float32(Float(value)))) }

        add("block_count", config.layers)
        add("context_length", config.contextLength)
        add("embedding_length", config.hiddenSize)
        add("feed_forward_length", config.feedForwardSize)
        add("attention.head_count", config.heads)
        // Latent attention keeps one vector for all heads.
        add("attention.head_count_kv", config.latentAttention == nil ? config.keyValueHeads : 1)
        for (key, value) in scaling(config.rope.scaling) { keys.append(("rope.scaling.\(key)", value)) }
        add("rope.freq_base", config.rope.theta)
        if let theta = config.localRopeTheta { add("rope.freq_base_swa", theta) }
        add("attention.\(config.hasLayerNorm ? "layer_norm" : "layer_norm_rms")_epsilon", config.normEpsilon)
        if let experts = config.experts {
            add("expert_count", experts.count)
            add("expert_used_count", experts.used)
            if let groups = experts.groups { add("expert_group_count", groups) }
            if let groups = experts.usedGroups { add("expert_group_used_count", groups) }
            if let gating = experts.gating { add("expert_gating_func", Int(gating)) }
        }
        if let latent = config.latentAttention {
            add("attention.key_length", latent.rank + latent.keyRotated)
            add("attention.value_length", latent.rank)
        } else if config.declaresHeadSize {
            add("attention.key_length", config.headSize)
            add("attention.value_length", config.headSize)
        }
        return keys
    }

    private static func scaling(_ scaling: RopeParameters.Scaling) -> [(key: String, value: GGUFValue)] {
        switch scaling {
        case .none, .llama3:
            return []
        case .longrope:
            return [("type", .string("longrope"))]
        case .linear(let factor):
            return [("type", .string("linear")), ("factor", .float32(Float(factor)))]
        case .yarn(let yarn):
            var keys: [(key: String, value: GGUFValue)] = [
                ("type", .string("yarn")), ("factor", .float32(Float(yarn.factor))),
                ("original_context_length", .uint32(UInt32(yarn.originalContext))),
            ]
            let optional: [(String, Double?)] = [
                ("yarn_ext_factor", yarn.extrapolationFactor), ("yarn_attn_factor", yarn.attentionFactor),
                ("yarn_beta_fast", yarn.betaFast), ("yarn_beta_slow", yarn.betaSlow),
            ]
            for case (let key, let value?) in optional { keys.append((key, .float32(Float(value)))) }
            return keys
        }
    }
}
