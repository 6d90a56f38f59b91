import QuernFormats

extension Family {
    /// Gemma 3, text: Gemma 2 with norms on q and k, without caps on scores; five layers with windows and a RoPE of
    /// their own, then one without.
    static let gemma3 = gemma3(className: "Gemma3ForCausalLM")

    /// The text part of a Gemma 3 that sees images, too: its fields are in `text_config`.
    static let gemma3Multimodal = gemma3(className: "Gemma3ForConditionalGeneration")

    private static func gemma3(className: String) -> Family {
        Family(
            className: className,
            architecture: "gemma3",
            defaults: ModelConfig.Defaults(
                keyValueHeads: 4, headSize: .fixed(256), contextLength: 131_072, ropeTheta: 1e6, tiedHead: true,
                vocabularySize: 262_208, localRopeTheta: 1e4),
            globalTensors: .gemmaDecoder + [
                TensorRule(
                    source: "lm_head.weight", target: "output.weight", shape: [.vocabulary, .hidden],
                    presence: .unlessTied, cut: .leading(.vocabulary))
            ],
            layerTensors: .gemmaLayer + .headNorms(addend: 1),
            extraKeys: { config in
                var keys: Keys = []
                if let cap = try config.number("final_logit_softcapping") {
                    keys.append(("final_logit_softcapping", .float32(Float(cap))))
                }
                keys.append(
                    ("attention.sliding_window", .uint32(UInt32(try config.size("sliding_window", missing: 4096)))))
                return keys
            },
            hints: { config in
                let pattern = try config.size("sliding_window_pattern", missing: 6)
                var hints = ForwardHints()
                hints.windows = try config.windows(missing: 4096) { ($0 + 1) % pattern != 0 }
                hints.attentionScale = try config.queryScale
                return hints
            },
            tokenizer: .gemma)
    }
}

extension Architecture {
    static let gemma3 = Architecture(
        name: "gemma3", pairing: .halves,
        attentionNorms: BlockNorms(before: "attn_norm", after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(before: "ffn_norm", after: "post_ffw_norm"), queryKeyNorms: .eachHead,
        activation: .gelu, windows: .period(6, rope: .unscaled(base: 10_000)), scalesEmbeddings: true,
        layersScaledByQuotient: 62)
}
