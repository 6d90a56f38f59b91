/// What a checkpoint's config.json says about the forward pass and a GGUF has no key for.
///
/// A checkpoint folder is computed as transformers computes it, and fills these in; a GGUF is computed as llama.cpp
/// computes it, which is what nil stands for everywhere.
public struct ForwardHints: Sendable, Equatable {
    /// How many positions each layer sees, its own included; 0 where it sees all before it. One entry for each layer:
    /// from `sliding_window` with `layer_types`, `sliding_window_pattern`, `max_window_layers` or `use_sliding_window`.
    /// In gemma3 a layer with a window also has the RoPE of windows.
    public var windows: [Int]?
    /// `rope_theta` where the architecture has no key for it (gemma2).
    public var ropeTheta: Double?
    /// Whether YaRN rounds the bounds of its ramp to whole dimensions (`truncate`).
    public var yarnTruncates: Bool?
    /// What YaRN multiplies cos and sin with: `attention_factor`, the quotient of `mscale` and `mscale_all_dim`, or
    /// 0.1·ln(factor) + 1, as transformers chooses.
    public var yarnMagnitude: Double?
    /// What attention scores are multiplied with, altogether: 1/√`query_pre_attn_scalar`, YaRN's share included.
    public var attentionScale: Double?
    /// Whether the weights of the chosen experts are divided by their sum (`norm_topk_prob`).
    public var normalizesExpertWeights: Bool?
    /// How router outputs become scores.
    public var expertScoring: ExpertScoring?

    public init(
        windows: [Int]? = nil, ropeTheta: Double? = nil, yarnTruncates: Bool? = nil, yarnMagnitude: Double? = nil,
        attentionScale: Double? = nil, normalizesExpertWeights: Bool? = nil, expertScoring: ExpertScoring? = nil
    ) {
        self.windows = windows
        self.ropeTheta = ropeTheta
        self.yarnTruncates = yarnTruncates
        self.yarnMagnitude = yarnMagnitude
        self.attentionScale = attentionScale
        self.normalizesExpertWeights = normalizesExpertWeights
        self.expertScoring = expertScoring
    }
}

/// How the outputs of a router become the scores by which experts are chosen and weighted.
public enum ExpertScoring: Sendable, Equatable {
    /// Over all experts.
    case softmax
    /// Each expert by itself.
    case sigmoid
    /// Chosen by the raw outputs, then softmax over those chosen.
    case softmaxOfChosen
}
