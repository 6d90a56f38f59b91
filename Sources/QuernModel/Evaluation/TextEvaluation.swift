import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning

/// Models over a text, from files to figures.
public struct TextEvaluation: Sendable {
    /// Tokens that go through the models together, about: so many that reading the weights again for each group costs a
    /// few percent.
    private static let groupTokens = 8192

    let reference: String
    let candidates: [String]
    let text: String
    let chunkTokens: Int
    let chunks: Int?
    let threads: Int

    /// - Parameters:
    ///   - reference: a checkpoint folder or `.gguf`; its tokenizer reads the text.
    ///   - candidates: others of the same vocabulary.
    ///   - text: a file in UTF-8.
    ///   - chunkTokens: in `TextLimits.chunkTokens`.
    ///   - chunks: to take at most, at least 1; nil for all.
    ///   - threads: at least 1.
    public init(
        reference: String, candidates: [String], text: String, chunkTokens: Int, chunks: Int?, threads: Int
    ) {
        self.reference = reference
        self.candidates = candidates
        self.text = text
        self.chunkTokens = chunkTokens
        self.chunks = chunks
        self.threads = threads
    }

    /// What is being done, and the share of it that is done, in [0, 1].
    public enum Progress: Sendable, Equatable {
        case tokenizing(Double)
        case scoring(Double, chunks: Int)
    }

    /// Blocking: not for Swift's cooperative pool.
    /// - Parameters:
    ///   - engine: what computes.
    ///   - progress: told several times a second; what it throws ends the work and is thrown.
    /// - Throws: `QuernError` for models that cannot be computed or do not fit together, and for texts that are too
    ///   short or too long.
    package func run(
        on engine: any ForwardEngine, progress: (Progress) throws -> Void
    ) throws -> EvaluationSummary {
        // One commit for the model and its tokenizer.
        let reference = try SourcePlace.pinned(reference)
        let evaluator = try Evaluator(
            reference: try SourceModel.open(path: reference), candidates: try candidates.map(SourceModel.open),
            threads: threads, engine: engine)
        let tokenizer = try Tokenizer.open(path: reference)
        let bytes = try FileByteSource(path: text)
        try TextBounds.check(size: bytes.size, at: text)
        let ids = try tokenizer.encode(utf8: try bytes.bytes(at: 0, count: Int(clamping: bytes.size))) {
            try progress(.tokenizing($0))
        }
        let chunks = try TokenChunks(
            ids, beginning: tokenizer.beginsWith, chunkTokens: chunkTokens, maximumChunks: self.chunks ?? .max,
            text: text
        ).chunks
        var scores = PositionScores(candidates: candidates.count)
        let group = max(1, Self.groupTokens / chunkTokens)
        for start in stride(from: 0, to: chunks.count, by: group) {
            let part = Array(chunks[start..<min(start + group, chunks.count)])
            scores.append(
                try evaluator.scores(of: part, from: start) { fraction in
                    let done = (Double(start) + fraction * Double(part.count)) / Double(chunks.count)
                    try progress(.scoring(done, chunks: chunks.count))
                })
        }
        return try scores.summary(names: candidates, chunks: chunks.count, chunkTokens: chunkTokens)
    }
}
