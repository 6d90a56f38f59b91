import QuernFormats

/// How one class of transformers becomes a GGUF: names, shapes, keys. A family is data; what all families share is
/// done by `CheckpointConverter`.
struct Family: Sendable {
    /// As `architectures` in config.json names it.
    let className: String
    /// `general.architecture`.
    let architecture: String
    let defaults: ModelConfig.Defaults
    /// Tensors outside the layers, by their full name.
    let globalTensors: [TensorRule]
    /// Tensors of a layer, by their name after `model.layers.N.` and after `blk.N.`.
    let layerTensors: [TensorRule]
    /// Whether `rope_scaling` of type llama3 becomes the tensor `rope_freqs.weight`.
    var hasRopeFactors = false
    /// Keys between `general.file_type` and `general.quantization_version`, without the architecture's prefix.
    var extraKeys: @Sendable (ModelConfig) -> [(key: String, value: GGUFValue)] = { _ in [] }
    var tokenizer = TokenizerStyle()

    /// All that a checkpoint folder may hold.
    static let all: [Family] = [.llama, .mistral, .qwen2, .qwen3]

    /// The family of a configuration.
    /// - Throws: `.unsupported` for an unknown class, `.invalidInput` where none is named.
    static func of(_ config: JSONObject) throws -> Family {
        guard let name = config["architectures"]?.array?.first?.string else {
            throw ModelConfig.fault("'architectures' names no model class")
        }
        guard let family = all.first(where: { $0.className == name }) else {
            let known = all.map(\.className).joined(separator: ", ")
            throw QuernError(
                .unsupported, "the model class '\(name)' is unknown", at: "config.json",
                remedy: "Checkpoint folders may be \(known). A GGUF of any architecture works as a source")
        }
        return family
    }
}

/// What a family's converter does differently with the tokenizer.
struct TokenizerStyle: Sendable {
    /// Whether `add_prefix_space` of tokenizer_config.json becomes `tokenizer.ggml.add_space_prefix`.
    var writesSpacePrefix = false
    /// Keys that hang on the size of the vocabulary; they replace keys of the same name.
    var extraKeys: @Sendable (_ vocabularySize: Int) -> [(key: String, value: GGUFValue)] = { _ in [] }
}

/// One tensor of a checkpoint, or one of every layer.
struct TensorRule: Sendable {
    /// A dimension, in words of the configuration.
    enum Axis: Sendable {
        case hidden
        case feedForward
        case vocabulary
        /// One head.
        case head
        /// All query heads.
        case queries
        /// All key-value heads.
        case keys

        func size(_ config: ModelConfig) -> Int {
            switch self {
            case .hidden: config.hiddenSize
            case .feedForward: config.feedForwardSize
            case .vocabulary: config.vocabularySize
            case .head: config.headSize
            case .queries: config.heads * config.headSize
            case .keys: config.keyValueHeads * config.headSize
            }
        }
    }

    enum Presence: Sendable {
        case always
        /// Where the configuration says true; taken along wherever it is there.
        case ifSet(String)
        /// The head that may be tied to the embeddings.
        case unlessTied
    }

    /// In the checkpoint.
    let source: String
    /// In the GGUF.
    let target: String
    /// Outermost first, as checkpoints have it: [out, in].
    let shape: [Axis]
    var presence: Presence = .always
    /// Whether the rows of each head go from halves to neighbours.
    var interleaved = false
}

extension [TensorRule] {
    /// Embeddings, last norm and head: the same in every family.
    static let decoder: [TensorRule] = [
        TensorRule(source: "model.embed_tokens.weight", target: "token_embd.weight", shape: [.vocabulary, .hidden]),
        TensorRule(source: "model.norm.weight", target: "output_norm.weight", shape: [.hidden]),
        TensorRule(
            source: "lm_head.weight", target: "output.weight", shape: [.vocabulary, .hidden], presence: .unlessTied),
    ]

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
        let projections: [(String, String, TensorRule.Axis, TensorRule.Axis, TensorRule.Presence, Bool)] = [
            ("self_attn.q_proj", "attn_q", .queries, .hidden, attentionBias, interleaved),
            ("self_attn.k_proj", "attn_k", .keys, .hidden, attentionBias, interleaved),
            ("self_attn.v_proj", "attn_v", .keys, .hidden, attentionBias, false),
            ("self_attn.o_proj", "attn_output", .hidden, .queries, outputBias, false),
            ("mlp.gate_proj", "ffn_gate", .feedForward, .hidden, feedForwardBias, false),
            ("mlp.up_proj", "ffn_up", .feedForward, .hidden, feedForwardBias, false),
            ("mlp.down_proj", "ffn_down", .hidden, .feedForward, feedForwardBias, false),
        ]
        var rules = [
            TensorRule(source: "input_layernorm.weight", target: "attn_norm.weight", shape: [.hidden]),
            TensorRule(source: "post_attention_layernorm.weight", target: "ffn_norm.weight", shape: [.hidden]),
        ]
        for (source, target, outer, inner, bias, moves) in projections {
            rules.append(
                TensorRule(
                    source: source + ".weight", target: target + ".weight", shape: [outer, inner], interleaved: moves))
            rules.append(
                TensorRule(
                    source: source + ".bias", target: target + ".bias", shape: [outer], presence: bias,
                    interleaved: moves))
        }
        return rules
    }
}
