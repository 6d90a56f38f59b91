import QuernFormats

/// The keys that say how the network is built.
enum ArchitectureKeys {
    /// What every family writes, up to `general.file_type`, in the order of the reference converter.
    static func base(_ config: ModelConfig, architecture: String, fileType: UInt32) -> [(key: String, value: GGUFValue)]
    {
        var keys: [(key: String, value: GGUFValue)] = []
        func add(_ key: String, _ value: Int) { keys.append(("\(architecture).\(key)", .uint32(UInt32(value)))) }
        func add(_ key: String, _ value: Double) { keys.append(("\(architecture).\(key)", .float32(Float(value)))) }

        add("block_count", config.layers)
        add("context_length", config.contextLength)
        add("embedding_length", config.hiddenSize)
        add("feed_forward_length", config.feedForwardSize)
        add("attention.head_count", config.heads)
        add("attention.head_count_kv", config.keyValueHeads)
        for (key, value) in scaling(config.rope.scaling) { keys.append(("\(architecture).rope.scaling.\(key)", value)) }
        add("rope.freq_base", config.rope.theta)
        add("attention.layer_norm_rms_epsilon", config.rmsNormEpsilon)
        if config.declaresHeadSize {
            add("attention.key_length", config.headSize)
            add("attention.value_length", config.headSize)
        }
        keys.append(("general.file_type", .uint32(fileType)))
        return keys
    }

    private static func scaling(_ scaling: RopeParameters.Scaling) -> [(key: String, value: GGUFValue)] {
        switch scaling {
        case .none, .llama3:
            return []
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
