import Foundation
import QuernFormats
import QuernJobs

extension PositionScores {
    private static let divergencePercents = [0.1, 1, 5, 10, 90, 95, 99, 99.9]
    /// Squares of larger ones would not be finite.
    private static let largestPerplexity = 1e100
    private static let changePercents = [0.1, 1, 5, 10, 25, 75, 90, 95, 99, 99.9]

    /// The scores of a whole text.
    /// - Parameters:
    ///   - names: of the candidates, in their order.
    ///   - chunks: how many were scored.
    /// - Throws: `.invalidInput` where there are no positions, or scores of different lengths, and at a model whose
    ///   figures are not finite.
    public func summary(names: [String], chunks: Int, chunkTokens: Int) throws -> EvaluationSummary {
        guard !losses.isEmpty, names.count == candidates.count,
            candidates.allSatisfy({
                $0.losses.count == losses.count && $0.divergences.count == losses.count
                    && $0.sameTop.count == losses.count
            })
        else { throw QuernError(.invalidInput, "the scores of an evaluation are not complete") }
        let reference = Sample(losses.map(Double.init))
        return EvaluationSummary(
            chunks: chunks, chunkTokens: chunkTokens, positions: losses.count,
            perplexity: try Self.perplexity(reference, of: "the reference"),
            candidates: try zip(names, candidates).map { try $1.summary(named: $0, reference: reference) })
    }

    fileprivate static func perplexity(_ losses: Sample, of model: String) throws -> Estimate {
        let value = exp(losses.mean)
        let error = value * losses.standardError
        guard value < largestPerplexity, error < largestPerplexity else {
            throw QuernError(
                .invalidInput,
                "its predictions are so wrong that no perplexity can be given: −ln p of a token is "
                    + "\(losses.mean) on average", at: model, remedy: remedy)
        }
        return Estimate(value: value, error: error)
    }

    fileprivate static func divergences(_ sample: Sample) -> Distribution {
        Distribution(sample, percents: divergencePercents)
    }

    fileprivate static func changes(_ sample: Sample) -> Distribution {
        Distribution(sample, percents: changePercents)
    }
}

extension CandidateScores {
    fileprivate func summary(named name: String, reference: Sample) throws -> CandidateSummary {
        guard divergences.allSatisfy(\.isFinite) else {
            throw QuernError(
                .invalidInput, "its divergence from the reference is not finite", at: name,
                remedy: PositionScores.remedy)
        }
        let candidate = Sample(losses.map(Double.init))
        let own = try PositionScores.perplexity(candidate, of: name)
        let base = try PositionScores.perplexity(reference, of: "the reference")
        // The error of a difference of means is that of the mean of the differences: both are of the same positions.
        let logRatio = Sample(zip(candidate.values, reference.values).map { $0 - $1 }).estimate
        let ratio = exp(logRatio.value)
        let covariance = candidate.covarianceOfMeans(reference)
        let errors = candidate.standardError * reference.standardError
        let differenceVariance =
            own.error * own.error + base.error * base.error - 2 * own.value * base.value * covariance
        let changes = Sample(zip(candidate.values, reference.values).map { exp(-$0) - exp(-$1) })
        let share = Double(sameTop.count { $0 }) / Double(sameTop.count)
        return CandidateSummary(
            name: name, perplexity: own, logRatio: logRatio,
            ratio: Estimate(value: ratio, error: ratio * logRatio.error),
            difference: Estimate(value: own.value - base.value, error: max(0, differenceVariance).squareRoot()),
            correlation: errors > 0 ? covariance / errors : 0,
            divergence: PositionScores.divergences(Sample(divergences.map(Double.init))),
            probabilityChange: PositionScores.changes(changes), rootMeanSquareChange: Self.rootMeanSquare(changes),
            sameTop: Estimate(
                value: share, error: (share * (1 - share) / Double(max(1, sameTop.count - 1))).squareRoot()),
            layerErrors: try layerErrors(named: name))
    }

    private static func rootMeanSquare(_ sample: Sample) -> Estimate {
        let squares = Sample(sample.values.map { $0 * $0 })
        let root = squares.mean.squareRoot()
        return Estimate(value: root, error: root > 0 ? squares.standardError / (2 * root) : 0)
    }

    /// Chunks added in their order, so that it makes no difference who scored which.
    private func layerErrors(named name: String) throws -> [Double] {
        guard let count = layers.map(\.count).min() else { return [] }
        return try (0..<count).map { layer in
            let sum = layers.reduce(SquaredError()) {
                SquaredError(error: $0.error + $1[layer].error, norm: $0.norm + $1[layer].norm)
            }
            guard sum.error.isFinite, sum.norm.isFinite else {
                throw QuernError(
                    .invalidInput, "its hidden states are not numbers after layer \(layer)",
                    at: sum.norm.isFinite ? name : "the reference", remedy: PositionScores.remedy)
            }
            return sum.norm > 0 ? (sum.error / sum.norm).squareRoot() : 0
        }
    }
}
