import QuernFormats

/// The unigram language model: of all ways to cut a word into tokens the likeliest (Kudo, arXiv:1804.10959).
struct UnigramModel: SubwordModel {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams? = nil
    private let scores: [Double]
    private let trie: ByteTrie
    private let unknown: Int32?
    private let unknownScore: Double
    /// By byte: the id of `<0xXX>`, or -1. Empty where bytes are no fallback.
    private let bytes: [Int32]

    /// What an unknown character costs more than the worst piece, as in SentencePiece.
    private static let unknownPenalty = 10.0

    /// - Parameters:
    ///   - pieces: by id, with the logarithms of their probabilities.
    ///   - unknown: the id for what has none.
    ///   - matches: by id, whether a text may be cut into the piece; nil for all.
    ///   - worst: the score of the worst piece, where not all count.
    init(
        pieces: [(text: [UInt8], score: Double)], unknown: Int32?, hasByteFallback: Bool, matches: [Bool]? = nil,
        worst: Double? = nil
    ) {
        var vocabulary = ByteTable(capacity: pieces.count)
        var keys: [(key: [UInt8], value: Int32)] = []
        for (id, piece) in pieces.enumerated() {
            vocabulary.set(piece.text, Int32(id))
            if matches?[id] ?? true { keys.append((piece.text, Int32(id))) }
        }
        self.vocabulary = vocabulary
        self.unknown = unknown
        scores = pieces.map(\.score)
        trie = ByteTrie(keys)
        unknownScore = (worst ?? scores.min() ?? 0) - Self.unknownPenalty
        vocabularyCount = pieces.count
        largestID = Int32(pieces.count) - 1
        bytes = hasByteFallback ? ByteTokens.ids(in: vocabulary) : []
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        let isCut = try scratch.viterbi.run(
            word, trie: trie, scores: scores, unknown: unknown, unknownScore: unknownScore, check: scratch.check)
        guard isCut else {
            throw QuernError(
                .invalidInput, "the text has characters without a token, and there is no token for them",
                at: "model.unk_id")
        }
        for (range, isUnknown) in scratch.viterbi.path.reversed() {
            let text = UnsafeBufferPointer(rebasing: word[range])
            if let id = vocabulary[text] {
                ids.append(id)
            } else if !bytes.isEmpty, text.allSatisfy({ bytes[Int($0)] >= 0 }) {
                for byte in text { ids.append(bytes[Int(byte)]) }
            } else if isUnknown, let unknown {
                ids.append(unknown)
            }
        }
    }
}

/// The best path through a word, by dynamic programming from left to right.
struct Viterbi {
    private struct Node {
        var score = 0.0
        /// Where the last token of the path begins; negative where no path ends here.
        var start: Int32 = -1
        var id: Int32 = 0
    }

    private var nodes: [Node] = []
    /// The tokens, the last first; neighbouring unknown characters are one.
    private(set) var path: [(range: Range<Int>, isUnknown: Bool)] = []

    /// - Parameter check: called now and then in a long word; what it throws ends the work.
    /// - Returns: false where a character is unknown and `unknown` is nil.
    mutating func run(
        _ word: UnsafeBufferPointer<UInt8>, trie: ByteTrie, scores: [Double], unknown: Int32?, unknownScore: Double,
        check: () throws -> Void
    ) rethrows -> Bool {
        nodes.removeAll(keepingCapacity: word.count < 1 << 16)
        nodes.append(contentsOf: repeatElement(Node(), count: word.count + 1))
        var start = 0
        var nextCheck = EncodingScratch.reported
        while start < word.count {
            if start >= nextCheck {
                nextCheck += EncodingScratch.reported
                try check()
            }
            let length = min(UTF8Text.length(word[start]), word.count - start)
            let scoreHere = nodes[start].score
            var hasCharacter = false
            trie.forEachMatch(word, at: start) { matched, id in
                offer(start, start + matched, id, scores[Int(id)] + scoreHere)
                if matched == length { hasCharacter = true }
            }
            if !hasCharacter {
                guard let unknown else { return false }
                offer(start, start + length, unknown, unknownScore + scoreHere)
            }
            start += length
        }
        collect(word.count, unknown: unknown)
        return true
    }

    /// Of equal scores the first stays.
    @inline(__always)
    private mutating func offer(_ start: Int, _ end: Int, _ id: Int32, _ score: Double) {
        if nodes[end].start < 0 || score > nodes[end].score {
            nodes[end] = Node(score: score, start: Int32(truncatingIfNeeded: start), id: id)
        }
    }

    private mutating func collect(_ count: Int, unknown: Int32?) {
        path.removeAll(keepingCapacity: true)
        var end = count
        while end > 0 {
            let node = nodes[end]
            let start = Int(node.start)
            let isUnknown = node.id == unknown
            if isUnknown, let last = path.last, last.isUnknown {
                path[path.count - 1].range = start..<last.range.upperBound
            } else {
                path.append((start..<end, isUnknown))
            }
            end = start
        }
    }
}
