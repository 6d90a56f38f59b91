import Foundation
import QuernFormats
import QuernKernels

/// The score of one position.
struct RowScore {
    let loss: Float
    let candidates: [CandidateRow]
    struct CandidateRow {
        let loss: Float
        let divergence: Float
        let sameTop: Bool
    }

    /// - Parameters:
    ///   - reference: logits over the vocabulary.
    ///   - candidates: the same of each candidate.
    ///   - token: the token that follows, below the vocabulary.
    /// - Throws: `.invalidInput` where logits are no distribution, or give no probability to what happens.
    init(reference: UnsafeBufferPointer<Float>, candidates: [UnsafeBufferPointer<Float>], token: Int) throws {
        guard let ofReference = Kernels.softmax(of: reference) else { throw Self.noDistribution("the reference") }
        loss = try Self.loss(reference, ofReference, token, "the reference")
        self.candidates = try candidates.map { candidate in
            guard let ofCandidate = Kernels.softmax(of: candidate) else { throw Self.noDistribution("the candidate") }
            let divergence = Kernels.divergence(
                reference: reference, candidate: candidate, referenceSoftmax: ofReference,
                candidateSoftmax: ofCandidate)
            guard divergence.isFinite else {
                throw QuernError(.invalidInput, "the candidate rules out tokens that the reference thinks possible")
            }
            return CandidateRow(
                loss: try Self.loss(candidate, ofCandidate, token, "the candidate"), divergence: Float(divergence),
                sameTop: ofReference.top == ofCandidate.top)
        }
    }

    private static func loss(
        _ logits: UnsafeBufferPointer<Float>, _ softmax: Softmax, _ token: Int, _ model: String
    ) throws -> Float {
        let loss = softmax.logSumExp - Double(logits[token])
        guard loss.isFinite else {
            throw QuernError(.invalidInput, "\(model) rules out token \(token), which the text has")
        }
        return Float(loss)
    }

    private static func noDistribution(_ model: String) -> QuernError {
        QuernError(
            .invalidInput, "\(model) computes values that are not numbers",
            remedy: "Check the file with quern inspect; a damaged or overflowing tensor does this")
    }
}

extension PositionScores {
    /// Scores neighbouring positions.
    /// - Parameters:
    ///   - reference: logits [tokens.count, vocabulary].
    ///   - candidates: the same of each candidate.
    ///   - tokens: what follows each position, below the vocabulary.
    /// - Throws: `.invalidInput` where logits are no distribution, or give no probability to what happens.
    package init(
        reference: UnsafeBufferPointer<Float>, candidates: [UnsafeBufferPointer<Float>], tokens: ArraySlice<Int32>
    ) throws {
        self.init(candidates: candidates.count)
        guard !tokens.isEmpty else { return }
        let vocabulary = reference.count / tokens.count
        precondition(candidates.allSatisfy { $0.count == reference.count }, "one vocabulary")
        for (row, token) in tokens.enumerated() {
            guard let token = Int(exactly: token), (0..<vocabulary).contains(token) else {
                throw QuernError(.invalidInput, "token \(token) is beyond a vocabulary of \(vocabulary)")
            }
            let span = row * vocabulary..<(row + 1) * vocabulary
            let score = try RowScore(
                reference: UnsafeBufferPointer(rebasing: reference[span]),
                candidates: candidates.map { UnsafeBufferPointer(rebasing: $0[span]) }, token: token)
            losses.append(score.loss)
            for (index, candidate) in score.candidates.enumerated() {
                self.candidates[index].losses.append(candidate.loss)
                self.candidates[index].divergences.append(candidate.divergence)
                self.candidates[index].sameTop.append(candidate.sameTop)
            }
        }
    }
}
