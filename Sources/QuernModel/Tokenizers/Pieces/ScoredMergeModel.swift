import QuernFormats

/// BPE as SentencePiece has it: two neighbours merge where their text is a piece, the piece of the highest score first.
struct ScoredMergeModel: SubwordModel {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams?
    /// By id: how many different scores are higher.
    private let ranks: [UInt32]
    /// By byte: the id of `<0xXX>`, else of the byte itself, else of what is unknown, or -1.
    private let bytes: [Int32]

    /// - Parameters:
    ///   - pieces: by id.
    ///   - matches: by id, whether a text may become the piece.
    ///   - unknown: for bytes without a piece.
    init(pieces: [(text: [UInt8], score: Float)], matches: [Bool], unknown: Int32?) {
        var vocabulary = ByteTable(capacity: pieces.count)
        var names = ByteTable(capacity: pieces.count)
        var characters: [UInt32] = []
        for (id, piece) in pieces.enumerated() {
            names.set(piece.text, Int32(id))
            guard matches[id] else { continue }
            vocabulary.set(piece.text, Int32(id))
            guard let first = piece.text.first, UTF8Text.length(first) == piece.text.count else { continue }
            characters.append(piece.text.withUnsafeBufferPointer { UTF8Text.scalar($0, at: 0).value })
        }
        // Scores that are no number have no order; they come last.
        let scores = pieces.map { $0.score.isNaN ? -Float.infinity : $0.score }
        let order = Dictionary(uniqueKeysWithValues: Set(scores).sorted(by: >).enumerated().map { ($1, UInt32($0)) })
        ranks = scores.map { order[$0] ?? 0 }
        bytes = zip(UInt8.min...UInt8.max, ByteTokens.ids(in: names)).map { byte, id in
            id >= 0 ? id : names[[byte]] ?? unknown ?? -1
        }
        self.vocabulary = vocabulary
        vocabularyCount = pieces.count
        largestID = Int32(pieces.count) - 1
        seams = Seams(
            tokens: pieces.indices.lazy.filter { matches[$0] }.map { pieces[$0].text }, characters: characters)
    }

    private struct Rule: MergeRule {
        let word: UnsafeBufferPointer<UInt8>
        let vocabulary: ByteTable
        let ranks: [UInt32]

        @inline(__always)
        func merge(_ left: Symbol, _ right: Symbol) -> UInt64 {
            let text = UnsafeBufferPointer(rebasing: word[Int(left.start)..<Int(right.start + right.length)])
            guard let id = vocabulary[text] else { return .max }
            return UInt64(ranks[Int(id)]) << 32 | UInt64(id)
        }
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        scratch.merging.cut(word, ids: vocabulary)
        try scratch.merging.merge(by: Rule(word: word, vocabulary: vocabulary, ranks: ranks), check: scratch.check)
        for symbol in scratch.merging.symbols {
            guard symbol.id < 0 else {
                ids.append(symbol.id)
                continue
            }
            for offset in 0..<Int(symbol.length) {
                let id = bytes[Int(word[Int(symbol.start) + offset])]
                guard id >= 0 else {
                    throw QuernError(
                        .invalidInput, "the text has bytes without a token, and there is no token for what is unknown")
                }
                ids.append(id)
            }
        }
    }
}
