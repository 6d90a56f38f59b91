/// What evaluating some chunks leaves: a few numbers for each position. The scores of a text are those of its chunks
/// one after the other, so whoever evaluates parts of it joins them in their order, and how it was divided makes no
/// difference.
public struct PositionScores: Sendable, Equatable {
    /// −ln p of the true token under the reference.
    public internal(set) var losses: [Float]
    public internal(set) var candidates: [CandidateScores]

    /// Nothing yet.
    public init(candidates: Int) {
        losses = []
        self.candidates = Array(repeating: CandidateScores(), count: candidates)
    }

    /// Joins the scores of the chunks that follow; of as many candidates.
    public mutating func append(_ following: PositionScores) {
        precondition(following.candidates.count == candidates.count, "the same candidates")
        losses += following.losses
        for index in candidates.indices { candidates[index].append(following.candidates[index]) }
    }
}

/// Scores of one candidate, at the same positions as the reference's.
public struct CandidateScores: Sendable, Equatable {
    /// −ln p of the true token.
    public internal(set) var losses: [Float] = []
    /// Kullback–Leibler divergence from the reference, in nats.
    public internal(set) var divergences: [Float] = []
    /// Whether the most likely token is the reference's.
    public internal(set) var sameTop: [Bool] = []
    /// For each chunk, for each layer: how the hidden state after it differs.
    public internal(set) var layers: [[SquaredError]] = []

    mutating func append(_ following: CandidateScores) {
        losses += following.losses
        divergences += following.divergences
        sameTop += following.sameTop
        layers += following.layers
    }
}

/// Sums over a hidden state.
public struct SquaredError: Sendable, Equatable {
    /// Σ(candidate − reference)².
    public var error: Double
    /// Σ reference².
    public var norm: Double
    public init(error: Double = 0, norm: Double = 0) {
        self.error = error
        self.norm = norm
    }
}
