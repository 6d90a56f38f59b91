import QuernFormats
import QuernModel
import QuernPlanning
import Testing

struct TokenChunksTests {
    private func chunks(_ count: Int, beginning: Int32?, maximum: Int = 9) throws -> [[Int32]] {
        try TokenChunks(
            (0..<count).map { Int32($0) + 100 }, beginning: beginning, chunkTokens: 4, maximumChunks: maximum, text: "t"
        ).chunks
    }

    /// As llama-imatrix: the token that begins a text counts where the text is divided, and replaces the first of a chunk.
    @Test func chunksBeginWithTheirToken() throws {
        #expect(try chunks(9, beginning: 1) == [[1, 100, 101, 102], [1, 104, 105, 106]])
        #expect(try chunks(9, beginning: nil) == [[100, 101, 102, 103], [104, 105, 106, 107]])
        #expect(try chunks(7, beginning: 1).count == 2)
        #expect(try chunks(30, beginning: 1, maximum: 3).count == 3)
    }

    @Test(arguments: [(7, nil), (6, 1)] as [(Int, Int32?)])
    func twoChunksAreNeeded(count: Int, beginning: Int32?) {
        #expect(throws: QuernError.self) { try chunks(count, beginning: beginning) }
    }

    /// More than one blob holds are never cut off unasked.
    @Test func tooManyTokensAreRefused() throws {
        let (length, most) = (1 << 17, TextBounds.tokens >> 17)
        let ids = [Int32](repeating: 5, count: (most + 1) * length)
        func take(_ maximum: Int) throws -> Int {
            try TokenChunks(ids, beginning: nil, chunkTokens: length, maximumChunks: maximum, text: "t").chunks.count
        }
        #expect(try take(most) == 128)
        let error = try #require(throws: QuernError.self) { try take(most + 1) }
        #expect(error.code == .invalidInput && error.message.contains("at most 16777216"), "\(error)")
        #expect(error.remedy.contains("128 chunks") && error.remedy.contains("--chunks"))
    }

    @Test func blobs() throws {
        let tokens = try TokenChunks(
            (0..<12).map { Int32($0 * 70_000) }, beginning: nil, chunkTokens: 4, maximumChunks: 9, text: "t")
        #expect(tokens.bytes.count == 48 && tokens.bytes[4..<8] == [0x70, 0x11, 1, 0])
        let read = try TokenChunks(blob: tokens.bytes, chunkTokens: 4, chunks: 1..<3)
        #expect(read.chunks == Array(tokens.chunks[1..<3]))
        #expect(throws: QuernError.self) { try TokenChunks(blob: tokens.bytes, chunkTokens: 4, chunks: 2..<4) }
    }
}
