/// Causal attention of one layer: queries, keys and values from the input, scores, weighted values, output.
public struct Attention: Sendable, Equatable {
    /// Query heads; a multiple of `keyValueHeads`.
    public let heads: Int
    public let keyValueHeads: Int
    /// Width of a head of queries and keys.
    public let keyLength: Int
    /// Width of a head of values.
    public let valueLength: Int
    public let projections: Projections
    public let rope: Rope
    /// What scores are multiplied with.
    public let scale: Float
    /// c in c·tanh(score / c), after the scale and before the mask.
    public let softCap: Float?
    /// How many positions are seen, the own included; nil for all up to the own.
    public let window: Int?
    /// A score for each head that takes part in the softmax and stands for no value.
    public let sinks: String?
    public let output: Linear
    public let outputInput: LinearInput

    public enum Projections: Sendable, Equatable {
        case grouped(GroupedProjections)
        case latent(LatentProjections)
    }

    public var linearInputs: [LinearInput] {
        switch projections {
        case .grouped(let grouped): [grouped.input, outputInput]
        case .latent(let latent): latent.linearInputs + [outputInput]
        }
    }
}

/// Queries, keys and values side by side, straight from the input.
public struct GroupedProjections: Sendable, Equatable {
    /// Outputs [heads · keyLength | keyValueHeads · keyLength | keyValueHeads · valueLength].
    public let linear: Linear
    public let input: LinearInput
    public let queryNorm: Norm?
    public let keyNorm: Norm?
    /// Whether these norms take each head by itself, as opposed to all heads as one row.
    public let normsHeads: Bool
}

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434), computed in the latent space: the queries are carried
/// into it by `keyUp`, all heads share one key [latent | rotated] of which the latent part is the value too, and
/// `valueUp` carries the result out of it. The heads of `Attention` are those of the latent space.
public struct LatentProjections: Sendable, Equatable {
    public struct LowRank: Sendable, Equatable {
        public let down: Linear
        public let norm: Norm
        public let input: LinearInput
    }
    /// Input to latent queries; nil where queries are made from the input itself.
    public let queryDown: LowRank?
    /// Outputs heads · (plain + rotated), each head [plain | rotated].
    public let query: Linear
    public let queryInput: LinearInput
    /// Outputs [latent | rotated].
    public let keyValueDown: Linear
    public let keyValueInput: LinearInput
    /// Over the latent part.
    public let keyValueNorm: Norm
    /// Where `kv_b_proj` of the checkpoint reads; no tensor of the GGUF does.
    public let keyValueUpInput: LinearInput
    /// For each head [latent, plain]: plain part of a query to the latent space.
    public let keyUp: Linear
    public let keyUpInput: LinearInput
    /// For each head [value, latent].
    public let valueUp: Linear
    public let valueUpInput: LinearInput
    public let plain: Int
    public let rotated: Int
    public let latent: Int

    var linearInputs: [LinearInput] {
        let queries = queryDown.map { [$0.input, queryInput] } ?? [queryInput]
        // Where queries come from the input itself, both are one.
        let inputs = queries.contains(keyValueInput) ? queries : queries + [keyValueInput]
        return inputs + [keyValueUpInput, keyUpInput, valueUpInput]
    }
}

/// Rotary position embedding (arXiv 2104.09864).
public struct Rope: Sendable, Hashable {
    public enum Pairing: Sendable, Hashable {
        /// (2i, 2i + 1)
        case neighbours
        /// (i, i + dimensions/2)
        case halves
    }
    public let pairing: Pairing
    /// How many entries are rotated; even.
    public let dimensions: Int
    public let base: Double
    /// What frequencies are multiplied with: 1 / factor of linear scaling.
    public let frequencyScale: Double
    public let yarn: Yarn?
    /// Divisors of the frequencies, [dimensions/2].
    public let factors: Factors?
    /// What cos and sin are multiplied with.
    public let magnitude: Double

    /// Frequencies between those that stay and those that are scaled (arXiv 2309.00071).
    public struct Yarn: Sendable, Hashable {
        public let factor: Double
        public let originalContext: Int
        public let betaFast: Double
        public let betaSlow: Double
        public let extrapolation: Double
        public let truncates: Bool
    }

    public enum Factors: Sendable, Hashable {
        case tensor(String)
        /// By the length of the chunk (LongRoPE, arXiv 2402.13753).
        case byLength(short: String, long: String, originalContext: Int)
    }
}
