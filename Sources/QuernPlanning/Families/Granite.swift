import QuernFormats

extension Family {
    /// Granite 3: Llama with four multipliers.
    static let granite = Family(
        className: "GraniteForCausalLM",
        architecture: "granite",
        defaults: ModelConfig.Defaults(keyValueHeads: nil, headSize: .ignored, contextLength: 2048),
        globalTensors: .decoder,
        layerTensors: llamaLayer,
        computedTensors: llamaRopeFactors,
        extraKeys: { config in
            let multipliers = [
                ("attention.scale", "attention_multiplier"), ("embedding_scale", "embedding_multiplier"),
                ("residual_scale", "residual_multiplier"), ("logit_scale", "logits_scaling"),
            ]
            return try llamaKeys(config)
                + multipliers.compactMap { key, field in
                    let value = try config.number(field) ?? 1
                    return value == 0 ? nil : (key, .float32(Float(value)))
                }
        },
        hints: { try .yarn($0) },
        tokenizer: TokenizerStyle(
            writesSpacePrefix: true, splits: ["starcoder": "refact"], extraKeys: vocabularyKeys))
}

extension Architecture {
    static let granite = Architecture(name: "granite", pairing: .neighbours)
}
