import QuernFormats

/// BPE over the spelling of bytes with a GGUF's merges. Unlike a tokenizer.json, these may make texts that are no tokens
/// on the way to one that is.
struct GGUFMergeModel: SubwordModel, MergeRule {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams? = nil
    private let merges: MergeTable
    /// Ids of all texts that merging meets: tokens, then the others.
    private let texts: ByteTable
    private let ignoresMerges: Bool

    /// - Throws: where a merge has no two halves.
    init(_ source: GGUFVocabulary, merges entries: [GGUFString], ignoresMerges: Bool) throws {
        var vocabulary = ByteTable(capacity: source.tokens.count)
        for (id, token) in source.tokens.enumerated() { vocabulary.set(token, Int32(id)) }
        var texts = vocabulary
        var next = Int32(source.tokens.count)
        func id(_ text: [UInt8]) -> Int32 {
            if let id = texts[text] { return id }
            defer { next += 1 }
            texts.set(text, next)
            return next
        }
        guard entries.count < 1 << 26 else {
            throw QuernError(.invalidInput, "\(entries.count) merges", at: "tokenizer.ggml.merges")
        }
        var merges = MergeTable(capacity: entries.count)
        for (rank, entry) in entries.enumerated() {
            // The first byte may be a space that belongs to the half.
            guard let cut = entry.utf8.dropFirst().firstIndex(of: UInt8(ascii: " ")) else {
                throw QuernError(
                    .invalidInput, "merge \(rank) is no two tokens: \(entry)", at: "tokenizer.ggml.merges")
            }
            let (left, right) = (Array(entry.utf8[..<cut]), Array(entry.utf8[(cut + 1)...]))
            let pair = (id(left), id(right))
            // Of equal merges the first counts.
            if merges.merge(pair.0, pair.1) == .max {
                merges.set(pair.0, pair.1, rank: UInt32(rank), made: id(left + right))
            }
        }
        self.vocabulary = vocabulary
        self.texts = texts
        self.merges = merges
        self.ignoresMerges = ignoresMerges
        vocabularyCount = source.tokens.count
        largestID = Int32(source.tokens.count) - 1
    }

    @inline(__always)
    func merge(_ left: Symbol, _ right: Symbol) -> UInt64 {
        left.id < 0 || right.id < 0 ? .max : merges.merge(left.id, right.id)
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        if ignoresMerges, let id = vocabulary[word] {
            ids.append(id)
            return
        }
        scratch.merging.cut(word, ids: texts)
        try scratch.merging.merge(by: self, check: scratch.check)
        for symbol in scratch.merging.symbols {
            if symbol.id >= 0, symbol.id <= largestID {
                ids.append(symbol.id)
                continue
            }
            // What is no token is left out, but for letters of its spelling that are.
            for offset in 0..<Int(symbol.length) {
                if let id = vocabulary[[word[Int(symbol.start) + offset]]] { ids.append(id) }
            }
        }
    }
}

/// WordPiece over GGUF's spelling: "▁" and the word, cut from left to right into the longest tokens.
struct GGUFWordModel: SubwordModel {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams? = nil
    private let unknown: Int32?

    init(_ source: GGUFVocabulary, unknown: Int32?) {
        vocabulary = ByteTable(source.tokens.enumerated().map { ($1, Int32($0)) })
        vocabularyCount = source.tokens.count
        largestID = Int32(source.tokens.count) - 1
        self.unknown = unknown
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        let marked = SpaceEscaping.mark + word
        let before = ids.count
        marked.withUnsafeBufferPointer { text in
            var start = 0
            while start < text.count {
                var end = min(text.count, start + vocabulary.longest)
                while end > start {
                    if let id = vocabulary[UnsafeBufferPointer(rebasing: text[start..<end])] {
                        ids.append(id)
                        break
                    }
                    end -= 1
                }
                guard end > start else { return ids.removeSubrange(before...) }
                start = end
            }
        }
        if ids.count == before, let unknown { ids.append(unknown) }
    }
}
