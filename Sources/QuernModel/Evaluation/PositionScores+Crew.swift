import Synchronization

extension PositionScores {
    /// Positions that a thread scores at a time.
    private static let scoredTogether = 8

    /// Scores of rows of logits, a few rows to each piece, in their order.
    /// - Parameters:
    ///   - logits: [rows, vocabulary] of each model, the reference first.
    ///   - tokens: the token that follows each row.
    ///   - names: of the models.
    ///   - chunk: number of the chunk in its text.
    ///   - rows: positions in it.
    static func pieces(
        of logits: [FloatBuffer], vocabulary: Int, next tokens: ArraySlice<Int32>, names: [String], chunk: Int,
        rows: Range<Int>, _ crew: Crew
    ) throws -> [PositionScores] {
        let pieces = (rows.count + scoredTogether - 1) / scoredTogether
        let found = Mutex([PositionScores?](repeating: nil, count: pieces))
        try crew.forEach(pieces, tick: { _ in }) { piece, _ in
            let first = piece * scoredTogether
            let count = min(scoredTogether, rows.count - first)
            let buffers = logits.map {
                UnsafeBufferPointer(start: $0.base + first * vocabulary, count: count * vocabulary)
            }
            let next = tokens[tokens.startIndex + first..<tokens.startIndex + first + count]
            let scores = try PositionScores(
                reference: buffers[0], candidates: Array(buffers.dropFirst()), tokens: next,
                origin: .init(names: names, chunk: chunk, position: rows.lowerBound + first))
            found.withLock { $0[piece] = scores }
        }
        return found.withLock { $0.compactMap { $0 } }
    }
}
