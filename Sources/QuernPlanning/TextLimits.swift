import QuernFormats
import QuernJobs
import QuernStore

/// How a text goes through a model, as far as that can be planned before it is tokenized: in groups of chunks.
package struct TextLimits {
    /// The most chunks that there can be.
    let chunks: Int
    /// Chunks of a whole group.
    let group: Int
    private let chunkTokens: Int
    /// Chunks that there probably are.
    private let likely: Int

    /// How many tokens a chunk may have.
    package static let chunkTokens = 16...131_072
    /// Tokens in a group, about: so many that decoding the weights for each group anew costs a few percent, and so few
    /// that there are groups for all workers. It must not depend on the workers: sums are added group by group.
    static let groupTokens = 4096
    /// Bytes of text for a token, about, where nothing is known of the tokenizer.
    private static let bytesPerToken: UInt64 = 3
    /// Operations that take as long as encoding one byte, about: costs of different stages add up to a time.
    private static let operationsPerByte = 512.0

    /// - Parameters:
    ///   - chunks: that are asked for; nil for as many as the text has tokens for if every byte were one.
    ///   - groupTokens: tokens in a group, about.
    ///   - field: of the recipe, for errors.
    /// - Throws: `QuernError` `.usage` where the impossible is asked for, `.invalidInput` for a text that is too short or
    ///   too long.
    init(
        chunkTokens: Int, chunks: Int?, groupTokens: Int = Self.groupTokens, text: SourceFile, field: String
    ) throws {
        guard Self.chunkTokens.contains(chunkTokens) else {
            throw QuernError(
                .usage, "chunks have \(Self.chunkTokens.lowerBound) to \(Self.chunkTokens.upperBound) tokens",
                at: "\(field).chunk_tokens", remedy: "512 is usual")
        }
        guard chunks ?? 1 >= 1 else {
            throw QuernError(.usage, "at least one chunk is needed", at: "\(field).chunks")
        }
        // One more for the token that begins a text.
        let possible = Int(clamping: text.size) / chunkTokens + 1
        guard text.size > 0, Int(clamping: text.size) >= 2 * chunkTokens - 1 else {
            throw QuernError(
                .invalidInput, "\(text.size) bytes of text cannot be two chunks of \(chunkTokens) tokens",
                at: text.path, remedy: "Give more text, or smaller chunks")
        }
        try TextBounds.check(size: text.size, at: text.path)
        // One more than there may be: then whoever tokenizes sees that it is too much, and nothing is cut off unasked.
        self.chunks = min(chunks ?? possible, possible, TextBounds.tokens / chunkTokens + 1)
        self.chunkTokens = chunkTokens
        group = max(1, groupTokens / chunkTokens)
        likely = Int(clamping: text.size / Self.bytesPerToken) / chunkTokens
    }

    /// The chunks of each group, in their order.
    var groups: [Range<Int>] {
        stride(from: 0, to: chunks, by: group).map { $0..<min($0 + group, chunks) }
    }

    /// The item that cuts the text.
    func tokenize(_ model: ModelReference, _ text: SourceFile) -> PlannedItem {
        let work = TokenizeWork(model: model, text: text, chunkTokens: chunkTokens, maximumChunks: chunks)
        return PlannedItem(
            payload: .tokenize(work), cost: Int64(clamping: max(text.size, 1)), memory: work.memory,
            label: "tokenize \(text.name)")
    }

    /// What a group weighs that takes so many operations. Groups that the text probably does not reach weigh little,
    /// lest they shift the progress.
    func cost(of group: Range<Int>, operations: Double) -> Int64 {
        let cost = operations / Self.operationsPerByte
        return max(1, Int64(clamping: group.lowerBound <= likely ? cost : cost / 16))
    }
}

extension Int64 {
    init(clamping value: Double) { self = value < 9e18 ? Int64(value) : .max }
}
