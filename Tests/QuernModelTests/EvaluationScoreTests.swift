import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import TestSupport
import Testing

/// What evaluation measures, against plain double precision and cases worked out by hand.
@Suite struct EvaluationScoreTests {
    @Test func twoTokensByHand() throws {
        // Reference: 1/2 and 1/2. Candidate: 3/4 and 1/4. The text has the first token, then the second.
        let reference: [Float] = [0, 0, 0, 0]
        let candidate: [Float] = [log(3), 0, log(3), 0]
        let summary = try Self.evaluate(reference, [candidate], tokens: [0, 1]).summary(
            names: ["it"], chunks: 1, chunkTokens: 6)
        #expect(summary.chunks == 1 && summary.chunkTokens == 6 && summary.positions == 2)
        #expect(near(summary.perplexity.value, 2) && summary.perplexity.error == 0)
        let found = try #require(summary.candidates.first)
        #expect(found.name == "it")
        // Losses ln 4/3 and ln 4: e^mean = 4/√3; error of the mean: √(((ln 3)/2)² / 1).
        #expect(near(found.perplexity.value, 4 / sqrt(3)))
        #expect(near(found.perplexity.error, 4 / sqrt(3) * log(3) / 2))
        #expect(near(found.logRatio.value, log(2 / sqrt(3))) && near(found.logRatio.error, log(3) / 2))
        #expect(near(found.ratio.value, 2 / sqrt(3)) && near(found.ratio.error, 2 / sqrt(3) * log(3) / 2))
        #expect(near(found.difference.value, 4 / sqrt(3) - 2))
        #expect(near(found.difference.error, 4 / sqrt(3) * log(3) / 2))
        #expect(found.correlation == 0)
        // ½·ln(½/¾) + ½·ln(½/¼) at both positions.
        let divergence = 0.5 * log(4.0 / 3)
        #expect(near(found.divergence.mean.value, divergence) && found.divergence.mean.error == 0)
        #expect(near(found.divergence.median, divergence) && near(found.divergence.maximum, divergence))
        // ¾ − ½ and ¼ − ½.
        #expect(near(found.probabilityChange.mean.value, 0) && near(found.probabilityChange.mean.error, 0.25))
        #expect(near(found.probabilityChange.minimum, -0.25) && near(found.probabilityChange.maximum, 0.25))
        #expect(near(found.rootMeanSquareChange.value, 0.25) && near(found.rootMeanSquareChange.error, 0))
        // The first of equal logits counts as the top.
        #expect(found.sameTop == Estimate(value: 1, error: 0))
        #expect(found.layerErrors.isEmpty)
    }

    @Test func percentilesLieBetweenNeighbours() throws {
        // Δp of 0, −0.01, −0.02 … −0.1 against a reference that is certain: eleven values, percentiles at tenths.
        let infinity = -Float.infinity
        let reference: [Float] = (0...10).flatMap { _ in [0, infinity] }
        var candidate: [Float] = []
        for hundredth in 0...10 {
            let missed = Float(hundredth) / 100
            candidate += [log(1 - missed), hundredth == 0 ? infinity : log(missed)]
        }
        let scores = try Self.evaluate(reference, [candidate], tokens: [Int32](repeating: 0, count: 11))
        let change = try scores.summary(names: [""], chunks: 1, chunkTokens: 24).candidates[0].probabilityChange
        let percents: [Double] = [0.1, 1, 5, 10, 25, 75, 90, 95, 99, 99.9]
        let expected: [Double] = [-0.0999, -0.099, -0.095, -0.09, -0.075, -0.025, -0.01, -0.005, -0.001, -0.0001]
        #expect(change.percentiles.map(\.percent) == percents)
        for (percentile, value) in zip(change.percentiles, expected) {
            #expect(near(percentile.value, value), "\(percentile)")
        }
        #expect(near(change.median, -0.05) && change.maximum == 0 && near(change.minimum, -0.1))
        #expect(near(change.mean.value, -0.05))
        #expect(near(change.mean.error, 0.01 * (10.0 / 10).squareRoot()))
    }

    @Test func theSameModelTwice() throws {
        let logits = random(rows: 50, vocabulary: 77, seed: 1)
        let tokens = (0..<50).map { Int32($0 % 77) }
        let summary = try Self.evaluate(logits, [logits], tokens: tokens).summary(
            names: ["self"], chunks: 1, chunkTokens: 102)
        let found = summary.candidates[0]
        #expect(found.perplexity == summary.perplexity)
        #expect(found.logRatio == Estimate(value: 0, error: 0) && found.ratio == Estimate(value: 1, error: 0))
        #expect(found.divergence.maximum == 0 && found.divergence.mean == Estimate(value: 0, error: 0))
        #expect(found.probabilityChange.minimum == 0 && found.probabilityChange.maximum == 0)
        #expect(found.rootMeanSquareChange == Estimate(value: 0, error: 0))
        #expect(found.sameTop == Estimate(value: 1, error: 0))
        #expect(near(found.correlation, 1))
    }

    @Test(arguments: [3, 1000, 32001])
    func agreesWithPlainArithmetic(vocabulary: Int) throws {
        let rows = 20
        let reference = random(rows: rows, vocabulary: vocabulary, seed: 2)
        let noise = random(rows: rows, vocabulary: vocabulary, seed: 3)
        let candidate = zip(reference, noise).map { $0 + $1 / 20 }
        let tokens = (0..<rows).map { Int32($0 * 7919 % vocabulary) }
        let summary = try Self.evaluate(reference, [candidate], tokens: tokens).summary(
            names: [""], chunks: 1, chunkTokens: 2 * rows + 2)
        var (losses, others, divergences, same) = ([Double](), [Double](), [Double](), 0)
        for row in 0..<rows {
            let p = probabilities(reference[row * vocabulary..<(row + 1) * vocabulary])
            let q = probabilities(candidate[row * vocabulary..<(row + 1) * vocabulary])
            losses.append(-log(p[Int(tokens[row])]))
            others.append(-log(q[Int(tokens[row])]))
            divergences.append(zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) })
            same += p.firstIndex(of: p.max() ?? 0) == q.firstIndex(of: q.max() ?? 0) ? 1 : 0
        }
        let found = summary.candidates[0]
        #expect(near(summary.perplexity.value, exp(mean(losses)), within: 1e-6))
        #expect(near(summary.perplexity.error, exp(mean(losses)) * error(losses), within: 1e-6))
        #expect(near(found.perplexity.value, exp(mean(others)), within: 1e-6))
        #expect(near(found.divergence.mean.value, mean(divergences), within: 1e-5))
        #expect(near(found.divergence.mean.error, error(divergences), within: 1e-5))
        #expect(near(found.divergence.maximum, divergences.max() ?? 0, within: 1e-5))
        #expect(near(found.sameTop.value, Double(same) / Double(rows)))
        // As the reference program states it: from the variances of both and their covariance.
        let ofLosses = error(losses), ofOthers = error(others)
        let covariance = mean(zip(losses, others).map(*)) - mean(losses) * mean(others)
        let ratioError = ofLosses * ofLosses + ofOthers * ofOthers - 2 * covariance / Double(rows - 1)
        #expect(near(found.logRatio.error, ratioError.squareRoot(), within: 1e-4))
        #expect(near(found.correlation, covariance / Double(rows - 1) / (ofLosses * ofOthers), within: 1e-5))
    }

    @Test func joinsInAnyGrouping() throws {
        let (rows, vocabulary) = (40, 19)
        let reference = random(rows: rows, vocabulary: vocabulary, seed: 4)
        let candidates = [5, 6].map { random(rows: rows, vocabulary: vocabulary, seed: $0) }
        let tokens = (0..<rows).map { Int32($0 % vocabulary) }
        let whole = try Self.evaluate(reference, candidates, tokens: tokens)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20 {
            var joined = PositionScores(candidates: 2)
            var row = 0
            while row < rows {
                let end = Int.random(in: row...rows, using: &generator)
                let part = row * vocabulary..<end * vocabulary
                joined.append(
                    try Self.evaluate(
                        Array(reference[part]), candidates.map { Array($0[part]) }, tokens: Array(tokens[row..<end])))
                row = end
            }
            #expect(joined == whole)
        }
    }

    struct Refusal: Sendable {
        let reference: [Float]
        let candidate: [Float]
        let token: Int32
    }

    static let refusals = [
        Refusal(reference: [.nan, 0], candidate: [0, 0], token: 0),
        Refusal(reference: [0, 0], candidate: [0, .infinity], token: 0),
        Refusal(reference: [0, 0], candidate: [0, -.infinity], token: 0),
        Refusal(reference: [0, -.infinity], candidate: [0, 0], token: 1),
        Refusal(reference: [0, 0], candidate: [0, 0], token: 2),
        Refusal(reference: [0, 0], candidate: [0, 0], token: -1),
    ]

    @Test(arguments: refusals)
    func refusesWhatHasNoMeaning(refusal: Refusal) {
        #expect(throws: QuernError.self) {
            try Self.evaluate(refusal.reference, [refusal.candidate], tokens: [refusal.token])
        }
    }

    @Test func refusesNothing() throws {
        #expect(throws: QuernError.self) {
            try PositionScores(candidates: 1).summary(names: ["a"], chunks: 0, chunkTokens: 8)
        }
        #expect(throws: QuernError.self) {
            try Self.evaluate([0, 0], [], tokens: [1]).summary(names: ["a"], chunks: 1, chunkTokens: 8)
        }
    }
}

extension EvaluationScoreTests {
    /// Scores of rows of logits.
    static func evaluate(_ reference: [Float], _ candidates: [[Float]], tokens: [Int32]) throws -> PositionScores {
        let buffers = candidates.map { values in
            let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
            _ = copy.initialize(from: values)
            return copy
        }
        defer { buffers.forEach { $0.deallocate() } }
        return try reference.withUnsafeBufferPointer { reference in
            try PositionScores(
                reference: reference, candidates: buffers.map { UnsafeBufferPointer($0) }, tokens: tokens[...],
                origin: .init(
                    names: ["reference"] + candidates.indices.map { "candidate \($0)" }, chunk: 7, position: 100))
        }
    }
}

private func random(rows: Int, vocabulary: Int, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<rows * vocabulary).map { _ in Float.random(in: -6...6, using: &generator) }
}

private func probabilities(_ logits: ArraySlice<Float>) -> [Double] {
    let powers = logits.map { exp(Double($0)) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
}

private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

private func error(_ values: [Double]) -> Double {
    let variance = mean(values.map { $0 * $0 }) - mean(values) * mean(values)
    return (variance / Double(values.count - 1)).squareRoot()
}

private func near(_ found: Double, _ expected: Double, within tolerance: Double = 2e-7) -> Bool {
    abs(found - expected) <= tolerance * max(1, abs(expected)) || abs(found - expected) <= tolerance
}
