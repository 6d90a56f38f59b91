import QuernFormats
import QuernJobs
import QuernModel
import QuernStore

/// What items have in common that run a group of chunks of a text through a model.
protocol ChunkGroupWork: Sendable {
    var model: ModelReference { get }
    /// Ordinal of the tokenize item.
    var tokens: Int { get }
    var chunkTokens: Int { get }
    var firstChunk: Int { get }
    var maximumChunks: Int { get }
}

extension CalibrateWork: ChunkGroupWork {}
extension EvaluateWork: ChunkGroupWork {}

/// A group of chunks on its way through a model: what it leaves is kept under a key, and found there the next time.
struct ChunkGroup {
    let text: TokenizeResult
    /// Chunks of the text.
    let chunks: Range<Int>
    private let work: any ChunkGroupWork
    private let context: StageContext
    private let result: @Sendable ([Digest]) -> WorkResult

    /// - Parameters:
    ///   - stage: for errors.
    ///   - result: what the item comes to that leaves these blobs.
    /// - Throws: `.invalidInput` where the result of the tokenize item is missing.
    init(
        _ work: any ChunkGroupWork, stage: String, in context: StageContext,
        result: @escaping @Sendable ([Digest]) -> WorkResult
    ) throws {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else {
            throw StageContext.missing(work.tokens, at: stage)
        }
        self.text = text
        chunks = work.firstChunk..<min(work.firstChunk + work.maximumChunks, max(text.chunks, work.firstChunk))
        self.work = work
        self.context = context
        self.result = result
    }

    /// The outcome where the text ends before the group; nil where it does not.
    var beyondText: StageOutcome? { chunks.isEmpty ? outcome([]) : nil }

    /// The tokens of each chunk.
    func tokens() throws -> [[Int32]] {
        let blob = try context.blobs.get(text.tokens, context.control)
        return try TokenChunks(blob: blob, chunkTokens: work.chunkTokens, chunks: chunks).chunks
    }

    /// Tells how far the group is, in [0, 1].
    /// - Throws: where the item is to stop.
    func report(_ fraction: Double) throws {
        try context.control.check()
        context.control.fraction = fraction
    }

    /// The outcome where somebody has computed the group before; nil where nobody has.
    func known(_ key: Digest) throws -> StageOutcome? {
        try context.known(key).map(outcome)
    }

    /// Keeps what the group leaves.
    func keep(_ bytes: [UInt8], under key: Digest) throws -> StageOutcome {
        let made = try context.blobs.pieces(of: bytes)
        let cache = context.entries(for: made, under: key)
        return StageOutcome { [context, result] in
            try context.blobs.commit(made.writers, context.control)
            return Completion(result: result(made.digests), cache: cache)
        }
    }

    private func outcome(_ digests: [Digest]) -> StageOutcome {
        StageOutcome { [result] in Completion(result: result(digests)) }
    }
}

extension ModelReference {
    /// The model's part of a key. Hashing a whole model for every group would cost more than it saves: its files stand
    /// for what they hold, as they do between planning and work.
    var keyLines: String {
        let files = files.map { "\($0.size) \($0.version ?? "\($0.modified)") \($0.path)" }
        return (["model \(identity.hex) \(path)"] + files).joined(separator: "\n")
    }
}
