/// How well a model predicts a text, and how a candidate differs from it. The quantities and their errors are those
/// that `llama-perplexity --kl-divergence` prints.
public struct EvaluationSummary: Sendable, Codable, Equatable {
    /// Chunks of the text that were taken.
    public let chunks: Int
    public let chunkTokens: Int
    /// Positions that were scored: those of the second half of each chunk that have a next token in it.
    public let positions: Int
    /// e^(mean of −ln p of the true token) under the reference.
    public let perplexity: Estimate
    /// In the order in which the candidates were given; none where one model was looked at by itself.
    public let candidates: [CandidateSummary]

    public init(
        chunks: Int, chunkTokens: Int, positions: Int, perplexity: Estimate, candidates: [CandidateSummary]
    ) {
        self.chunks = chunks
        self.chunkTokens = chunkTokens
        self.positions = positions
        self.perplexity = perplexity
        self.candidates = candidates
    }
}

/// A candidate against the reference, over the same positions.
public struct CandidateSummary: Sendable, Codable, Equatable {
    /// What it is called: the target of a job, the path of a file.
    public let name: String
    public let perplexity: Estimate
    /// ln(perplexity / perplexity of the reference).
    public let logRatio: Estimate
    /// perplexity / perplexity of the reference.
    public let ratio: Estimate
    /// perplexity − perplexity of the reference.
    public let difference: Estimate
    /// Of the losses of both, position by position, in [−1, 1]; 0 where one of them does not vary.
    public let correlation: Double
    /// Kullback–Leibler divergence of the candidate's distribution from the reference's, in nats.
    public let divergence: Distribution
    /// Probability of the true token, candidate minus reference, in [−1, 1].
    public let probabilityChange: Distribution
    /// Root of the mean square of `probabilityChange`.
    public let rootMeanSquareChange: Estimate
    /// Share of positions where both think the same token most likely, in [0, 1].
    public let sameTop: Estimate
    /// Relative error of the hidden state after each layer: √(Σ(candidate − reference)² / Σ reference²).
    public let layerErrors: [Double]

    public init(
        name: String, perplexity: Estimate, logRatio: Estimate, ratio: Estimate, difference: Estimate,
        correlation: Double, divergence: Distribution, probabilityChange: Distribution,
        rootMeanSquareChange: Estimate, sameTop: Estimate, layerErrors: [Double]
    ) {
        self.name = name
        self.perplexity = perplexity
        self.logRatio = logRatio
        self.ratio = ratio
        self.difference = difference
        self.correlation = correlation
        self.divergence = divergence
        self.probabilityChange = probabilityChange
        self.rootMeanSquareChange = rootMeanSquareChange
        self.sameTop = sameTop
        self.layerErrors = layerErrors
    }
}

/// A quantity estimated from positions that are taken as independent.
public struct Estimate: Sendable, Codable, Equatable {
    public let value: Double
    /// Standard error, carried to first order through whatever was computed from means.
    public let error: Double
    public init(value: Double, error: Double) {
        self.value = value
        self.error = error
    }
}

/// How a quantity is distributed over positions.
public struct Distribution: Sendable, Codable, Equatable {
    public let mean: Estimate
    public let minimum: Double
    public let median: Double
    public let maximum: Double
    /// In ascending order of percent.
    public let percentiles: [Percentile]

    public struct Percentile: Sendable, Codable, Equatable {
        /// In (0, 100).
        public let percent: Double
        public let value: Double
        public init(percent: Double, value: Double) {
            self.percent = percent
            self.value = value
        }
    }

    public init(mean: Estimate, minimum: Double, median: Double, maximum: Double, percentiles: [Percentile]) {
        self.mean = mean
        self.minimum = minimum
        self.median = median
        self.maximum = maximum
        self.percentiles = percentiles
    }
}
