extension Family {
    /// Qwen 2 and 2.5: biases on q, k and v, nothing moved.
    static let qwen2 = Family(
        className: "Qwen2ForCausalLM",
        architecture: "qwen2",
        defaults: ModelConfig.Defaults(keyValueHeads: 32, headSize: .impliedQuotient, contextLength: 32_768),
        globalTensors: .decoder,
        layerTensors: .dense(
            interleaved: false, attentionBias: .always, outputBias: .ifSet("attention_bias"),
            feedForwardBias: .ifSet("mlp_bias")))
}
