import QuernFormats
import QuernPlanning

/// Tokens in chunks of one length, as llama-imatrix and llama-perplexity cut them: a text's tokens, behind the one that
/// begins a text where the model has one, are divided; then that token takes the place of the first of every chunk.
public struct TokenChunks: Sendable, Equatable {
    public let chunks: [[Int32]]

    /// - Parameters:
    ///   - ids: of the whole text.
    ///   - beginning: the token that begins a text; nil where the model has none.
    ///   - maximumChunks: to take, of as many as there are.
    /// - Throws: `QuernError` `.invalidInput` where there are not two chunks, or more than `TextBounds` has room for.
    public init(_ ids: [Int32], beginning: Int32?, chunkTokens: Int, maximumChunks: Int, text: String)
        throws(QuernError)
    {
        let ids = (beginning.map { [$0] } ?? []) + ids
        guard ids.count >= 2 * chunkTokens else {
            throw QuernError(
                .invalidInput, "the text has \(ids.count) tokens, and two chunks of \(chunkTokens) are needed",
                at: text,
                remedy: "Give more text, or smaller chunks")
        }
        let count = min(ids.count / chunkTokens, maximumChunks)
        guard count <= TextBounds.tokens / chunkTokens else {
            throw QuernError(
                .invalidInput,
                "the text has \(ids.count) tokens, and at most \(TextBounds.tokens) can be taken", at: text,
                remedy: "Ask for \(TextBounds.tokens / chunkTokens) chunks of \(chunkTokens) or fewer, with --chunks, "
                    + "--calibration-chunks, --evaluation-chunks, or chunks in a recipe")
        }
        chunks = (0..<count).map { index in
            var chunk = Array(ids[index * chunkTokens..<(index + 1) * chunkTokens])
            if let beginning { chunk[0] = beginning }
            return chunk
        }
    }

    /// Little-endian I32 [chunks, chunk tokens].
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * chunks.reduce(0) { $0 + $1.count })
        for chunk in chunks { bytes.append(littleEndian: chunk) }
        return bytes
    }

    /// Chunks of a blob that a tokenize item made.
    /// - Throws: `QuernError` `.invalidInput` where it does not have them.
    public init(blob: [UInt8], chunkTokens: Int, chunks range: Range<Int>) throws(QuernError) {
        let bytes = 4 * chunkTokens
        guard chunkTokens > 0, range.lowerBound >= 0, range.upperBound <= blob.count / bytes else {
            throw QuernError(.invalidInput, "the tokens of chunks \(range) are missing", at: "tokenized text")
        }
        chunks = blob.withUnsafeBytes { blob in
            range.map { chunk in
                (0..<chunkTokens).map {
                    Int32(littleEndian: blob.loadUnaligned(fromByteOffset: chunk * bytes + 4 * $0, as: Int32.self))
                }
            }
        }
    }
}
