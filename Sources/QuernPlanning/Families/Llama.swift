import QuernFormats

extension Family {
    /// Llama 2, 3, 3.1, 3.2 and what is built like them.
    static let llama = llamaLike(
        className: "LlamaForCausalLM",
        defaults: ModelConfig.Defaults(keyValueHeads: nil, headSize: .quotient, contextLength: 2048))

    /// What the GGUF architecture "llama" has in common: RoPE over neighbours, hence q and k with moved rows.
    static func llamaLike(
        className: String, defaults: ModelConfig.Defaults, layerTensors: [TensorRule] = llamaLayer,
        hints: @escaping @Sendable (ModelConfig) throws -> ForwardHints = { try .yarn($0) }
    ) -> Family {
        Family(
            className: className,
            architecture: "llama",
            defaults: defaults,
            globalTensors: .decoder,
            layerTensors: layerTensors,
            computedTensors: llamaRopeFactors,
            extraKeys: { llamaKeys($0) },
            hints: hints,
            tokenizer: TokenizerStyle(writesSpacePrefix: true, extraKeys: vocabularyKeys))
    }

    static let llamaLayer: [TensorRule] = .dense(
        interleaved: true, attentionBias: .ifSet("attention_bias"), outputBias: .ifSet("attention_bias"),
        feedForwardBias: .ifSet("mlp_bias"))

    static func llamaKeys(_ config: ModelConfig) -> Keys {
        [
            ("vocab_size", .uint32(UInt32(config.vocabularySize))),
            ("rope.dimension_count", .uint32(UInt32(config.headSize))),
        ]
    }

    /// `rope_scaling` of type llama3 becomes a tensor.
    @Sendable static func llamaRopeFactors(_ config: ModelConfig) -> [ComputedTensor] {
        guard case .llama3(let scaling) = config.rope.scaling else { return [] }
        let factors = RopeFactors.llama3(scaling, theta: config.rope.theta, headSize: config.headSize)
        return [ComputedTensor(name: "rope_freqs.weight", values: factors)]
    }

    /// Two vocabularies are known by their size alone: Code Llama's, with its infill tokens, and the 49152 tokens of
    /// StarCoder, which never begin with BOS.
    @Sendable static func vocabularyKeys(_ vocabularySize: Int) -> [(key: String, value: GGUFValue)] {
        switch vocabularySize {
        case 32_016:
            [
                ("tokenizer.ggml.prefix_token_id", .uint32(32_007)),
                ("tokenizer.ggml.suffix_token_id", .uint32(32_008)),
                ("tokenizer.ggml.middle_token_id", .uint32(32_009)),
                ("tokenizer.ggml.eot_token_id", .uint32(32_010)),
            ]
        case 49_152:
            [("tokenizer.ggml.add_bos_token", .bool(false))]
        default:
            []
        }
    }
}

extension Architecture {
    static let llama = Architecture(name: "llama", pairing: .neighbours)
}
