import QuernFormats

extension Family {
    /// Gemma 2: norms before and after, whose weights are stored less 1; windows in every other layer; capped scores
    /// and logits. `rope_theta` and the scale of queries have no key.
    static let gemma2 = Family(
        className: "Gemma2ForCausalLM",
        architecture: "gemma2",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 4, headSize: .fixed(256), contextLength: 8192, tiedHead: true, vocabularySize: 256_000),
        globalTensors: .gemmaDecoder
            // The head is always that of the embeddings.
            + [TensorRule(source: "lm_head.weight", outputs: [], shape: [.vocabulary, .hidden], presence: .optional)],
        layerTensors: .gemmaLayer,
        baseKeys: { config in
            [
                ("context_length", .uint32(UInt32(config.contextLength))),
                ("embedding_length", .uint32(UInt32(config.hiddenSize))),
                ("block_count", .uint32(UInt32(config.layers))),
                ("feed_forward_length", .uint32(UInt32(config.feedForwardSize))),
                ("attention.head_count", .uint32(UInt32(config.heads))),
                ("attention.head_count_kv", .uint32(UInt32(config.keyValueHeads))),
                ("attention.layer_norm_rms_epsilon", .float32(Float(config.normEpsilon))),
                ("attention.key_length", .uint32(UInt32(config.headSize))),
                ("attention.value_length", .uint32(UInt32(config.headSize))),
            ]
        },
        extraKeys: { config in
            [
                (
                    "attn_logit_softcapping",
                    .float32(Float(try config.number("attn_logit_softcapping", missing: 50) ?? 0))
                ),
                (
                    "final_logit_softcapping",
                    .float32(Float(try config.number("final_logit_softcapping", missing: 30) ?? 0))
                ),
                ("attention.sliding_window", .uint32(UInt32(try config.size("sliding_window", missing: 4096)))),
            ]
        },
        hints: { config in
            var hints = ForwardHints(ropeTheta: config.rope.theta)
            hints.windows = try config.windows(missing: 4096) { $0 % 2 == 0 }
            hints.attentionScale = try config.queryScale
            return hints
        },
        tokenizer: .gemma)
}

extension ModelConfig {
    /// 1/√`query_pre_attn_scalar`.
    var queryScale: Double {
        get throws {
            let scalar = try number("query_pre_attn_scalar") ?? 256
            guard scalar > 0 else { throw Self.fault("'query_pre_attn_scalar' has to be positive") }
            return 1 / scalar.squareRoot()
        }
    }
}

extension TokenizerStyle {
    static let gemma = TokenizerStyle(extraKeys: { _ in [("tokenizer.ggml.add_space_prefix", .bool(false))] })
}

extension [TensorRule] {
    /// Embeddings, of which rows beyond the vocabulary are left out, and the last norm.
    static let gemmaDecoder = decoder(head: .optional, embeddingCut: .leading(.vocabulary), normAddend: 1)
        .filter { $0.source != "lm_head.weight" }

    /// Norms on the inputs and the outputs of attention and feed-forward.
    static let gemmaLayer: [TensorRule] =
        [
            ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "post_attention_norm"),
            ("pre_feedforward_layernorm", "ffn_norm"), ("post_feedforward_layernorm", "post_ffw_norm"),
        ].map {
            TensorRule(source: "\($0.0).weight", target: "\($0.1).weight", shape: [.hidden], addend: 1)
        }
        + .attention(bias: .ifSet("attention_bias"), outputBias: .ifSet("attention_bias")) + .feedForward()
}

extension Architecture {
    /// A norm before and one after each half of a block.
    static let gemma2 = Architecture(
        name: "gemma2", pairing: .halves,
        attentionNorms: BlockNorms(before: "attn_norm", after: "post_attention_norm"),
        feedForwardNorms: BlockNorms(before: "ffn_norm", after: "post_ffw_norm"), activation: .gelu,
        windows: .period(2, rope: .same), scalesEmbeddings: true, layersScaledByQuotient: 46)
}
