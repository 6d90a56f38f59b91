/// One tensor of a checkpoint, or one of every layer or expert, and what becomes of it.
struct TensorRule: Sendable {
    enum Presence: Sendable {
        case always
        /// Where the configuration says true, `missing` standing for no word about it; taken along wherever it is there.
        case ifSet(String, missing: Bool = false)
        /// Where the configuration has a value for the field, and where it has none.
        case ifPresent(String)
        case unlessPresent(String)
        /// The head that may be tied to the embeddings.
        case unlessTied
        /// The same, left out where the configuration ties it, even if it is there.
        case untied
        /// Another layout of what other rules ask for, or what nothing needs.
        case optional
    }

    enum Layers: Sendable {
        case all
        /// Those before the first with experts, and those with experts.
        case dense, sparse
    }

    /// A tensor of the GGUF that is made of it.
    struct Output: Sendable {
        /// Without the layer.
        let target: String
        var cut = TensorCut.whole
        /// Added to every value.
        var addend: Float?
    }

    /// In the checkpoint, without the layer. A `*` stands for the number of an expert: all of them become one tensor.
    let source: String
    /// Where the scales lie, for MXFP4 blocks in two tensors.
    var scales: String?
    /// In the order in which they are written; empty for what is left out.
    let outputs: [Output]
    /// Outermost first, as checkpoints have it: [out, in].
    let shape: [Axis]
    var presence = Presence.always
    var layers = Layers.all

    init(
        source: String, scales: String? = nil, outputs: [Output], shape: [Axis], presence: Presence = .always,
        layers: Layers = .all
    ) {
        self.source = source
        self.scales = scales
        self.outputs = outputs
        self.shape = shape
        self.presence = presence
        self.layers = layers
    }

    init(
        source: String, target: String, shape: [Axis], presence: Presence = .always, layers: Layers = .all,
        cut: TensorCut = .whole, addend: Float? = nil
    ) {
        self.init(
            source: source, outputs: [Output(target: target, cut: cut, addend: addend)], shape: shape,
            presence: presence, layers: layers)
    }

    var isOfExperts: Bool { source.contains("*") }
}

/// A dimension, in words of the configuration.
struct Axis: Sendable {
    let size: @Sendable (ModelConfig) -> Int

    static let hidden = Axis { $0.hiddenSize }
    static let feedForward = Axis { $0.feedForwardSize }
    static let vocabulary = Axis { $0.vocabularySize }
    /// One head.
    static let head = Axis { $0.headSize }
    /// All query heads.
    static let queries = Axis { $0.heads * $0.headSize }
    /// All key-value heads.
    static let keys = Axis { $0.keyValueHeads * $0.headSize }
    static let heads = Axis { $0.heads }
    static let experts = Axis { $0.experts?.count ?? 0 }
    /// Of one expert.
    static let expertFeedForward = Axis { $0.experts?.feedForwardSize ?? 0 }
    static let sharedFeedForward = Axis { $0.experts?.sharedSize ?? 0 }

    static func constant(_ size: Int) -> Axis { Axis { _ in size } }
    static func + (left: Axis, right: Axis) -> Axis { Axis { left.size($0) + right.size($0) } }
    static func * (left: Axis, right: Axis) -> Axis { Axis { left.size($0) * right.size($0) } }
    static func * (factor: Int, axis: Axis) -> Axis { Axis { factor * axis.size($0) } }
    static func / (axis: Axis, divisor: Int) -> Axis { Axis { axis.size($0) / divisor } }
}

extension [TensorRule] {
    /// Embeddings, last norm and head: the same in nearly every family.
    static let decoder = decoder(head: .unlessTied)

    /// - Parameters:
    ///   - head: presence of lm_head.
    ///   - embeddingCut: what is taken of the embeddings.
    ///   - normAddend: added to the last norm.
    static func decoder(
        head: TensorRule.Presence, embeddingCut: TensorCut = .whole, normAddend: Float? = nil
    ) -> [TensorRule] {
        [
            TensorRule(
                source: "model.embed_tokens.weight", target: "token_embd.weight", shape: [.vocabulary, .hidden],
                cut: embeddingCut),
            TensorRule(
                source: "model.norm.weight", target: "output_norm.weight", shape: [.hidden], addend: normAddend),
            TensorRule(
                source: "lm_head.weight", target: "output.weight", shape: [.vocabulary, .hidden], presence: head),
        ]
    }

    /// The usual block: RMSNorm, grouped attention, gated feed-forward.
    /// - Parameters:
    ///   - interleaved: whether q and k go from RoPE over halves to RoPE over neighbours.
    ///   - attentionBias: presence of the biases of q, k and v.
    ///   - outputBias: presence of the bias of the attention's output.
    ///   - feedForwardBias: presence of the biases of gate, up and down.
    static func dense(
        interleaved: Bool, attentionBias: TensorRule.Presence, outputBias: TensorRule.Presence,
        feedForwardBias: TensorRule.Presence
    ) -> [TensorRule] {
        blockNorms
            + attention(interleaved: interleaved, bias: attentionBias, outputBias: outputBias)
            + feedForward(bias: feedForwardBias)
    }

    static let blockNorms = [
        TensorRule(source: "input_layernorm.weight", target: "attn_norm.weight", shape: [.hidden]),
        TensorRule(source: "post_attention_layernorm.weight", target: "ffn_norm.weight", shape: [.hidden]),
    ]

    /// q, k, v and output as matrices of their own.
    static func attention(
        interleaved: Bool = false, bias: TensorRule.Presence, outputBias: TensorRule.Presence
    ) -> [TensorRule] {
        let cut: TensorCut = interleaved ? .interleaved : .whole
        return linear("self_attn.q_proj", "attn_q", [.queries, .hidden], bias: bias, cut: cut)
            + linear("self_attn.k_proj", "attn_k", [.keys, .hidden], bias: bias, cut: cut)
            + linear("self_attn.v_proj", "attn_v", [.keys, .hidden], bias: bias)
            + linear("self_attn.o_proj", "attn_output", [.hidden, .queries], bias: outputBias)
    }

    static func feedForward(bias: TensorRule.Presence = .optional, layers: TensorRule.Layers = .all) -> [TensorRule] {
        linear("mlp.gate_proj", "ffn_gate", [.feedForward, .hidden], bias: bias, layers: layers)
            + linear("mlp.up_proj", "ffn_up", [.feedForward, .hidden], bias: bias, layers: layers)
            + linear("mlp.down_proj", "ffn_down", [.hidden, .feedForward], bias: bias, layers: layers)
    }

    /// Norms over every head of q and k.
    static func headNorms(addend: Float? = nil) -> [TensorRule] {
        [("q", Axis.head), ("k", Axis.head)].map { name, axis in
            TensorRule(
                source: "self_attn.\(name)_norm.weight", target: "attn_\(name)_norm.weight", shape: [axis],
                addend: addend)
        }
    }

    /// A weight and its bias.
    static func linear(
        _ source: String, _ target: String, _ shape: [Axis], bias: TensorRule.Presence,
        layers: TensorRule.Layers = .all, cut: TensorCut = .whole
    ) -> [TensorRule] {
        [
            TensorRule(source: source + ".weight", target: target + ".weight", shape: shape, layers: layers, cut: cut),
            TensorRule(
                source: source + ".bias", target: target + ".bias", shape: Array<Axis>(shape.prefix(1)), presence: bias,
                layers: layers, cut: cut),
        ]
    }

    /// Gate, up and down of all experts, each expert a tensor of its own or all of them in one.
    static func experts(layers: TensorRule.Layers = .all) -> [TensorRule] {
        [
            TensorRule(
                source: "mlp.experts.*.down_proj.weight", target: "ffn_down_exps.weight",
                shape: [.hidden, .expertFeedForward], layers: layers),
            TensorRule(
                source: "mlp.experts.*.gate_proj.weight", target: "ffn_gate_exps.weight",
                shape: [.expertFeedForward, .hidden], layers: layers),
            TensorRule(
                source: "mlp.experts.*.up_proj.weight", target: "ffn_up_exps.weight",
                shape: [.expertFeedForward, .hidden], layers: layers),
            // As transformers 5 saves them.
            TensorRule(
                source: "mlp.experts.gate_up_proj",
                outputs: [
                    .init(
                        target: "ffn_gate_exps.weight",
                        cut: .rows(from: .constant(0), count: .expertFeedForward, of: 2 * .expertFeedForward)),
                    .init(
                        target: "ffn_up_exps.weight",
                        cut: .rows(from: .expertFeedForward, count: .expertFeedForward, of: 2 * .expertFeedForward)),
                ], shape: [.experts, 2 * .expertFeedForward, .hidden], presence: .optional, layers: layers),
            TensorRule(
                source: "mlp.experts.down_proj", target: "ffn_down_exps.weight",
                shape: [.experts, .hidden, .expertFeedForward], presence: .optional, layers: layers),
        ]
    }

    /// Experts that every token goes through.
    static func sharedExperts(_ source: String, layers: TensorRule.Layers = .all) -> [TensorRule] {
        linear("\(source).gate_proj", "ffn_gate_shexp", [.sharedFeedForward, .hidden], bias: .optional, layers: layers)
            + linear(
                "\(source).up_proj", "ffn_up_shexp", [.sharedFeedForward, .hidden], bias: .optional, layers: layers)
            + linear(
                "\(source).down_proj", "ffn_down_shexp", [.hidden, .sharedFeedForward], bias: .optional, layers: layers)
    }
}
