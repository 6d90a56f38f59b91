extension Family {
    /// Mixtral 8x7B and 8x22B: attention as Mistral, a choice of experts in every layer.
    static let mixtral = llamaLike(
        className: "MixtralForCausalLM",
        defaults: ModelConfig.Defaults(
            keyValueHeads: 8, headSize: .quotient, contextLength: 131_072, ropeTheta: 1e6, normEpsilon: 1e-5,
            experts: .init(feedForward: "intermediate_size")),
        layerTensors: .blockNorms
            + .attention(
                interleaved: true, bias: .ifSet("attention_bias"), outputBias: .ifSet("attention_bias"))
            + mixtralExperts
    ) { config in
        var hints = try ForwardHints.yarn(config)
        hints.windows = try config.windows(missing: nil)
        hints.normalizesExpertWeights = true
        hints.expertScoring = .softmax
        return hints
    }

    private static let mixtralExperts: [TensorRule] =
        [
            TensorRule(
                source: "block_sparse_moe.gate.weight", target: "ffn_gate_inp.weight", shape: [.experts, .hidden]),
            TensorRule(
                source: "block_sparse_moe.experts.*.w1.weight", target: "ffn_gate_exps.weight",
                shape: [.expertFeedForward, .hidden]),
            TensorRule(
                source: "block_sparse_moe.experts.*.w2.weight", target: "ffn_down_exps.weight",
                shape: [.hidden, .expertFeedForward]),
            TensorRule(
                source: "block_sparse_moe.experts.*.w3.weight", target: "ffn_up_exps.weight",
                shape: [.expertFeedForward, .hidden]),
            // As transformers 5 saves them: the same tensors, under the names that other classes have.
            TensorRule(
                source: "mlp.gate.weight", target: "ffn_gate_inp.weight", shape: [.experts, .hidden],
                presence: .optional),
        ] + [TensorRule].experts().filter { !$0.isOfExperts }
}
