/// The forward pass of a model as data: what is multiplied with what, in which order, under which GGUF names. Made from
/// the metadata and shapes of a model; shapes are checked against each other, so that whoever computes it need not.
public struct DecoderGraph: Sendable, Equatable {
    /// `general.architecture`.
    public let architecture: String
    /// Width of the residual stream.
    public let hiddenSize: Int
    public let vocabularySize: Int
    public let embedding: Embedding
    public let layers: [DecoderLayer]
    public let head: Head

    public struct Embedding: Sendable, Equatable {
        /// A matrix [vocabulary, hidden].
        public let tensor: String
        /// What rows are multiplied with.
        public let scale: Float
    }

    public struct Head: Sendable, Equatable {
        public let norm: Norm
        /// A matrix [vocabulary, hidden]; that of the embeddings where they are tied.
        public let linear: Linear
        public let input: LinearInput
        /// What logits are multiplied with.
        public let scale: Float
        /// c in c·tanh(logit / c), after the scale.
        public let softCap: Float?
    }

    /// Every place where linear layers read, in the order of the forward pass; the head comes last.
    public var linearInputs: [LinearInput] { layers.flatMap(\.linearInputs) + [head.input] }
}

/// One block: attention and feed-forward, each added to the residual stream.
public struct DecoderLayer: Sendable, Equatable {
    public let index: Int
    public let attention: Attention
    public let feedForward: FeedForward
    /// Around the attention: on its input, and on its output before it is added.
    public let attentionNorms: NormPair
    /// Around the feed-forward, likewise.
    public let feedForwardNorms: NormPair
    /// What outputs are multiplied with before they are added.
    public let residualScale: Float

    public struct NormPair: Sendable, Equatable {
        public let before: Norm?
        public let after: Norm?
    }

    public var linearInputs: [LinearInput] { attention.linearInputs + feedForward.linearInputs }
}

/// A normalization of rows.
public struct Norm: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// x / √(mean(x²) + ε) · w
        case rms
        /// (x − mean(x)) / √(variance(x) + ε) · w + b
        case layer
    }
    public let kind: Kind
    public let weight: String
    public let bias: String?
    public let epsilon: Float
}

/// x·Wᵀ + b for one or more weights that read the same rows; their outputs stand side by side.
public struct Linear: Sendable, Equatable {
    public struct Part: Sendable, Equatable {
        /// A matrix [outputs, inputs], or `matrices` of them.
        public let weight: String
        public let bias: String?
        public let outputs: Int
    }
    public let parts: [Part]
    public let inputs: Int
    /// Experts; 1 otherwise.
    public let matrices: Int

    /// Width of an output row.
    public var outputs: Int { parts.reduce(0) { $0 + $1.outputs } }
}
