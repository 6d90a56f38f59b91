import Foundation
import QuernFormats
import QuernKernels
import QuernPlanning
import Synchronization

/// A reference and its candidates over the same chunks, layer by layer side by side: no more than the weights of one
/// layer, the residual streams and a block of logits for each model are in memory.
///
/// Scores do not depend on the number of threads, nor on which chunks go together.
public final class Evaluator {
    private let models: [Decoder]
    /// As errors call them, the reference first.
    private let names: [String]
    /// Whether a candidate has the reference's width and layers, so that hidden states can be compared.
    private let isComparable: [Bool]
    private let vocabulary: Int
    private let crew: Crew

    /// Bytes of logits, of all models together.
    private static let logitBytes = 192 << 20

    /// What the last digits of scores depend on.
    public var arithmetic: String { models[0].arithmetic }

    /// Reads no weights.
    /// - Parameter threads: at least 1.
    /// - Throws: as `Decoder`, and `.invalidInput` where a candidate has another vocabulary.
    public convenience init(reference: SourceModel, candidates: [SourceModel], threads: Int) throws {
        try self.init(reference: reference, candidates: candidates, threads: threads, engine: try MatrixEngine())
    }

    /// - Parameter engine: what computes.
    package init(
        reference: SourceModel, candidates: [SourceModel], threads: Int, engine: any ForwardEngine
    ) throws {
        for candidate in candidates { try reference.checkVocabulary(of: candidate) }
        let crew = Crew(threads: threads, engine: engine)
        self.crew = crew
        models = try ([reference] + candidates).map { try Decoder(model: $0, crew: crew) }
        names = ["\(reference.name) (the reference)"] + candidates.map(\.name)
        let own = models[0].graph
        vocabulary = own.vocabularySize
        for (model, candidate) in zip(models.dropFirst(), candidates)
        where model.graph.vocabularySize != own.vocabularySize {
            throw QuernError.otherVocabulary(
                candidate.name, "\(model.graph.vocabularySize) tokens, the reference \(own.vocabularySize)")
        }
        isComparable = models.dropFirst().map {
            $0.graph.hiddenSize == own.hiddenSize && $0.graph.layers.count == own.layers.count
        }
    }

    /// Scores the second half of each chunk: every position of it that has a next token in the chunk.
    /// - Parameters:
    ///   - chunks: token ids, at least 4 in each.
    ///   - first: number of the first chunk in its text, for errors.
    ///   - progress: as for `Decoder.forward`.
    public func scores(of chunks: [[Int32]], from first: Int = 0, progress: (Double) throws -> Void) throws
        -> PositionScores
    {
        let layers = models.map(\.graph.layers.count)
        // A head costs about as much as so many layers of twelve times the square of the width.
        let head = models.reduce(0.0) { $0 + Double(vocabulary) / Double(24 * $1.graph.hiddenSize) }
        let total = Double(layers.reduce(0, +)) + head
        var done = 0.0
        let passes = try models.map { try $0.begin(chunks, last: .secondHalf, progress: { _ in try progress(0) }) }
        var errors = isComparable.map { _ in chunks.map { _ in [SquaredError]() } }
        for layer in 0..<(layers.max() ?? 0) {
            for (model, pass) in zip(models, passes) where layer < model.graph.layers.count {
                try model.advance(pass) { try progress((done + $0) / total) }
                done += 1
            }
            for index in isComparable.indices where isComparable[index] {
                let isLast = layer == models[0].graph.layers.count - 1
                let found = try self.errors(of: passes[index + 1], from: passes[0], chunks, afterLast: isLast) {
                    try progress(done / total)
                }
                for chunk in chunks.indices { errors[index][chunk].append(found[chunk]) }
            }
        }
        var scores = PositionScores(candidates: models.count - 1)
        for chunk in chunks.indices {
            try score(passes, chunk, chunks[chunk], first + chunk, into: &scores) { share in
                try progress((done + head * (Double(chunk) + share) / Double(chunks.count)) / total)
            }
        }
        for model in models { try model.checkUnchanged() }
        for index in errors.indices { scores.candidates[index].layers = errors[index] }
        return scores
    }

    private func score(
        _ passes: [DecoderPass], _ chunk: Int, _ tokens: [Int32], _ number: Int,
        into scores: inout PositionScores, progress: (Double) throws -> Void
    ) throws {
        let positions = tokens.count / 2..<max(tokens.count / 2, tokens.count - 1)
        let block = max(1, Self.logitBytes / (4 * vocabulary * models.count))
        for start in stride(from: positions.lowerBound, to: positions.upperBound, by: block) {
            let rows = start..<min(start + block, positions.upperBound)
            let share = { (model: Double) in
                let before = Double(rows.lowerBound - positions.lowerBound)
                return (before + Double(rows.count) * model) / Double(positions.count)
            }
            let logits = try models.indices.map { index in
                let buffer = crew.buffers.take(rows.count * vocabulary)
                let states = try models[index].finish(passes[index], chunk: chunk, positions: rows)
                try models[index].logits(
                    of: states, chunk: 0, rows: 0..<rows.count,
                    into: UnsafeMutableBufferPointer(start: buffer.base, count: rows.count * vocabulary)
                ) { try progress(share((Double(index) + $0) / Double(models.count))) }
                return buffer
            }
            defer { logits.forEach(crew.buffers.give) }
            let parts = try PositionScores.pieces(
                of: logits, vocabulary: vocabulary, next: tokens[rows.lowerBound + 1..<rows.upperBound + 1],
                names: names, chunk: number, rows: rows, crew)
            for part in parts { scores.append(part) }
        }
    }

    /// For each chunk how far the residual streams are apart.
    private func errors(
        of candidate: DecoderPass, from reference: DecoderPass, _ chunks: [[Int32]], afterLast: Bool,
        tick: () throws -> Void
    ) throws -> [SquaredError] {
        let width = models[0].graph.hiddenSize
        let found = Mutex(chunks.map { _ in SquaredError(error: 0, norm: 0) })
        let pair = Pair(candidate: candidate, reference: reference)
        try crew.forEach(chunks.count, tick: { _ in try tick() }) { chunk, lane in
            // After the last layer only what is scored is there.
            let first = afterLast ? chunks[chunk].count / 2 : 0
            let sums = try pair.reference.withResidual(of: chunk, from: first, lane) { reference in
                try pair.candidate.withResidual(of: chunk, from: first, lane) {
                    Kernels.error(original: reference, decoded: $0, columns: width)
                }
            }
            found.withLock { $0[chunk] = SquaredError(error: sums.squaredError, norm: sums.squaredNorm) }
        }
        return found.withLock { $0 }
    }

    /// Passes whose residual streams nobody changes meanwhile.
    private struct Pair: @unchecked Sendable {
        let candidate: DecoderPass
        let reference: DecoderPass
    }
}

extension SourceModel {
    /// - Throws: `.invalidInput` where both say which tokens they have, and these differ.
    fileprivate func checkVocabulary(of candidate: SourceModel) throws {
        let key = "tokenizer.ggml.tokens"
        guard let own = metadata.first(where: { $0.key == key })?.value,
            let other = candidate.metadata.first(where: { $0.key == key })?.value, own != other
        else { return }
        throw QuernError.otherVocabulary(candidate.name, "other tokens than the reference")
    }
}

extension QuernError {
    fileprivate static func otherVocabulary(_ name: String, _ what: String) -> QuernError {
        QuernError(
            .invalidInput, "it has \(what): their predictions cannot be compared", at: name,
            remedy: "Compare models that were made from the same checkpoint")
    }
}
