import QuernFormats

extension Family {
    /// gpt-oss: experts in MXFP4, biases everywhere, attention sinks, windows in every other layer. Gate and up take
    /// turns, row by row.
    static let gptOss = Family(
        className: "GptOssForCausalLM",
        architecture: "gpt-oss",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 8, headSize: .fixed(64), contextLength: 131_072, ropeTheta: 150_000, normEpsilon: 1e-5,
            experts: .init(feedForward: "intermediate_size")),
        // llama.cpp loads no model of this architecture without a head of its own.
        globalTensors: .decoder(head: .always),
        layerTensors: [
            TensorRule(source: "input_layernorm.weight", target: "attn_norm.weight", shape: [.hidden]),
            // The norm before the feed-forward has the name of one behind the attention.
            TensorRule(
                source: "post_attention_layernorm.weight", target: "post_attention_norm.weight", shape: [.hidden]),
            TensorRule(source: "self_attn.sinks", target: "attn_sinks.weight", shape: [.heads]),
        ]
            + .attention(
                bias: .ifSet("attention_bias", missing: true), outputBias: .ifSet("attention_bias", missing: true))
            + .linear("mlp.router", "ffn_gate_inp", [.experts, .hidden], bias: .always)
            + gptOssExperts,
        quantization: ["mxfp4"],
        extraKeys: { config in
            [
                ("attention.sliding_window", .uint32(UInt32(try config.size("sliding_window", missing: 128)))),
                ("expert_feed_forward_length", .uint32(UInt32(config.experts?.feedForwardSize ?? 0))),
            ]
        },
        hints: { config in
            var hints = try ForwardHints.yarn(config)
            hints.windows = try config.windows(missing: 128) { $0 % 2 == 0 }
            hints.normalizesExpertWeights = false
            hints.expertScoring = .softmaxOfChosen
            return hints
        })

    private static let gptOssExperts: [TensorRule] = [
        TensorRule(
            source: "mlp.experts.down_proj_blocks", scales: "mlp.experts.down_proj_scales",
            outputs: [.init(target: "ffn_down_exps.weight")],
            shape: [.experts, .hidden, .expertFeedForward / 32, .constant(16)]),
        TensorRule(
            source: "mlp.experts.gate_up_proj_blocks", scales: "mlp.experts.gate_up_proj_scales",
            outputs: [
                .init(target: "ffn_gate_exps.weight", cut: .everySecond(from: 0)),
                .init(target: "ffn_up_exps.weight", cut: .everySecond(from: 1)),
            ], shape: [.experts, 2 * .expertFeedForward, .hidden / 32, .constant(16)]),
        TensorRule(
            source: "mlp.experts.down_proj_bias", target: "ffn_down_exps.bias", shape: [.experts, .hidden]),
        TensorRule(
            source: "mlp.experts.gate_up_proj_bias",
            outputs: [
                .init(target: "ffn_gate_exps.bias", cut: .everySecond(from: 0)),
                .init(target: "ffn_up_exps.bias", cut: .everySecond(from: 1)),
            ], shape: [.experts, 2 * .expertFeedForward]),
        // Where they are not quantized: [in, out].
        TensorRule(
            source: "mlp.experts.down_proj",
            outputs: [.init(target: "ffn_down_exps.weight", cut: .transposed(from: 0, step: 1))],
            shape: [.experts, .expertFeedForward, .hidden], presence: .optional),
        TensorRule(
            source: "mlp.experts.gate_up_proj",
            outputs: [
                .init(target: "ffn_gate_exps.weight", cut: .transposed(from: 0, step: 2)),
                .init(target: "ffn_up_exps.weight", cut: .transposed(from: 1, step: 2)),
            ], shape: [.experts, .hidden, 2 * .expertFeedForward], presence: .optional),
    ]
}

extension Architecture {
    /// What the file calls the norm after attention is the norm before the experts.
    static let gptOss = Architecture(
        name: "gpt-oss", pairing: .halves, feedForwardNorms: BlockNorms(before: "post_attention_norm"),
        attention: .groupedWithSinks, activation: .clampedSilu(alpha: 1.702, limit: 7),
        windows: .period(2, rope: .same), routing: RoutingStyle(scoring: .softmaxOfChosen, normalizes: false))
}
