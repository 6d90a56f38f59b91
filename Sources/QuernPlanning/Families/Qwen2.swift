extension Family {
    /// Qwen 2 and 2.5: biases on q, k and v, nothing moved.
    static let qwen2 = Family(
        className: "Qwen2ForCausalLM",
        architecture: "qwen2",
        defaults: ModelConfig.Defaults(keyValueHeads: 32, headSize: .impliedQuotient, contextLength: 32_768),
        globalTensors: .decoder,
        layerTensors: .dense(
            interleaved: false, attentionBias: .always, outputBias: .ifSet("attention_bias"),
            feedForwardBias: .ifSet("mlp_bias")),
        hints: { try .qwen($0) })
}

extension ForwardHints {
    /// Windows of Qwen: in layers from `max_window_layers` on, and only where `use_sliding_window` says so.
    static func qwen(_ config: ModelConfig, everyLayer: Bool = false) throws -> ForwardHints {
        var hints = try yarn(config)
        if try config.flag("use_sliding_window") ?? false {
            let first = try everyLayer ? 0 : config.integer("max_window_layers") ?? 28
            hints.windows = try config.windows(missing: 4096) { $0 >= first }
        } else {
            hints.windows = [Int](repeating: 0, count: config.layers)
        }
        return hints
    }
}

extension Architecture {
    static let qwen2 = Architecture(name: "qwen2", pairing: .halves)
}
