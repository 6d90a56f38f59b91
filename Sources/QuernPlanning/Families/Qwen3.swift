extension Family {
    /// Qwen 3, dense: a norm over every head of q and k.
    static let qwen3 = Family(
        className: "Qwen3ForCausalLM",
        architecture: "qwen3",
        defaults: ModelConfig.Defaults(keyValueHeads: 32, headSize: .fixed(128), contextLength: 32_768),
        globalTensors: .decoder,
        layerTensors: .dense(
            interleaved: false, attentionBias: .ifSet("attention_bias"), outputBias: .ifSet("attention_bias"),
            feedForwardBias: .ifSet("mlp_bias")) + .headNorms(),
        hints: { try .qwen($0) })
}

extension Architecture {
    static let qwen3 = Architecture(name: "qwen3", pairing: .halves, queryKeyNorms: .eachHead)
}
