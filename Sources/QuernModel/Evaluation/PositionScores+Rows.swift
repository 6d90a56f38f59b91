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
    ///   - names: of the models, the reference first.
    /// - Throws: `.invalidInput` at the model whose logits are no distribution, or give no probability to what happens.
    init(
        reference: UnsafeBufferPointer<Float>, candidates: [UnsafeBufferPointer<Float>], token: Int, names: [String]
    ) throws {
        guard let ofReference = Kernels.softmax(of: reference) else { throw Self.noDistribution(names[0]) }
        loss = try Self.loss(reference, ofReference, token, names[0])
        self.candidates = try zip(candidates, names.dropFirst()).map { candidate, name in
            guard let ofCandidate = Kernels.softmax(of: candidate) else { throw Self.noDistribution(name) }
            let divergence = Kernels.divergence(
                reference: reference, candidate: candidate, referenceSoftmax: ofReference,
                candidateSoftmax: ofCandidate)
            guard Float(divergence).isFinite else {
                throw Self.fault("it rules out tokens that the reference thinks possible", name)
            }
            return CandidateRow(
                loss: try Self.loss(candidate, ofCandidate, token, name), divergence: Float(divergence),
                sameTop: ofReference.top == ofCandidate.top)
        }
    }

    private static func loss(
        _ logits: UnsafeBufferPointer<Float>, _ softmax: Softmax, _ token: Int, _ model: String
    ) throws -> Float {
        let loss = softmax.logSumExp - Double(logits[token])
        guard Float(loss).isFinite else { throw fault("it rules out token \(token), which the text has", model) }
        return Float(loss)
    }

    private static func noDistribution(_ model: String) -> QuernError {
        fault("its predictions are not numbers", model)
    }

    private static func fault(_ message: String, _ model: String) -> QuernError {
        QuernError(.invalidInput, message, at: model, remedy: PositionScores.remedy)
    }
}

extension PositionScores {
    static let remedy = "A damaged or overflowing tensor does this: make the file again, or leave the model out"

    /// Where rows of logits come from.
    package struct Origin: Sendable {
        /// The models, the reference first.
        let names: [String]
        /// Of the text.
        let chunk: Int
        /// Of the first row, in its chunk.
        let position: Int

        package init(names: [String], chunk: Int, position: Int) {
            self.names = names
            self.chunk = chunk
            self.position = position
        }
    }

    /// Scores neighbouring positions.
    /// - Parameters:
    ///   - reference: logits [tokens.count, vocabulary].
    ///   - candidates: the same of each candidate.
    ///   - tokens: what follows each position, below the vocabulary.
    /// - Throws: `.invalidInput` where logits are no distribution, or give no probability to what happens; it says of
    ///   which model, and where.
    package init(
        reference: UnsafeBufferPointer<Float>, candidates: [UnsafeBufferPointer<Float>], tokens: ArraySlice<Int32>,
        origin: Origin
    ) throws {
        precondition(origin.names.count == candidates.count + 1, "a name for each")
        self.init(candidates: candidates.count)
        guard !tokens.isEmpty else { return }
        let vocabulary = reference.count / tokens.count
        precondition(candidates.allSatisfy { $0.count == reference.count }, "one vocabulary")
        for (row, token) in tokens.enumerated() {
            guard let token = Int(exactly: token), (0..<vocabulary).contains(token) else {
                throw QuernError(.invalidInput, "token \(token) is beyond a vocabulary of \(vocabulary)")
            }
            let span = row * vocabulary..<(row + 1) * vocabulary
            let score: RowScore
            do {
                score = try RowScore(
                    reference: UnsafeBufferPointer(rebasing: reference[span]),
                    candidates: candidates.map { UnsafeBufferPointer(rebasing: $0[span]) }, token: token,
                    names: origin.names)
            } catch let error as QuernError {
                let place = "\(error.location), chunk \(origin.chunk), position \(origin.position + row)"
                throw QuernError(error.code, error.message, at: place, remedy: error.remedy)
            }
            losses.append(score.loss)
            for (index, candidate) in score.candidates.enumerated() {
                self.candidates[index].losses.append(candidate.loss)
                self.candidates[index].divergences.append(candidate.divergence)
                self.candidates[index].sameTop.append(candidate.sameTop)
            }
        }
    }
}
