import QuernFormats

/// WordPiece: from left to right always the longest token; a word with a rest is unknown as a whole (Schuster and
/// Nakajima, 2012; the greedy search is BERT's).
struct WordPieceModel: SubwordModel {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams? = nil
    let unknownToken: String
    /// Before tokens that do not begin a word.
    let prefix: [UInt8]
    /// Longer words are unknown.
    let maximumCharacters: Int

    init(
        tokens: [(token: [UInt8], id: Int32)], unknownToken: String = "[UNK]", prefix: [UInt8] = Array("##".utf8),
        maximumCharacters: Int = 100
    ) {
        vocabulary = ByteTable(tokens)
        vocabularyCount = vocabulary.count
        largestID = tokens.reduce(-1) { max($0, $1.id) }
        self.unknownToken = unknownToken
        self.prefix = prefix
        self.maximumCharacters = maximumCharacters
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        let characters = word.count { $0 & 0xC0 != 0x80 }
        guard characters <= maximumCharacters else { return ids.append(try unknown()) }
        let before = ids.count
        var start = 0
        while start < word.count {
            var end = min(word.count, start + vocabulary.longest)
            while end > start, end < word.count, word[end] & 0xC0 == 0x80 { end -= 1 }
            var found: Int32?
            while start < end, found == nil {
                let part = UnsafeBufferPointer(rebasing: word[start..<end])
                found = start == 0 ? vocabulary[part] : vocabulary[prefix + part]
                if found == nil { end = UTF8Text.start(word, before: end) }
            }
            guard let found else {
                ids.removeSubrange(before...)
                return ids.append(try unknown())
            }
            ids.append(found)
            start = end
        }
    }

    private func unknown() throws -> Int32 { try UnknownToken.id(unknownToken, in: vocabulary) }
}

/// Whole words only.
struct WordLevelModel: SubwordModel {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams? = nil
    let unknownToken: String

    init(tokens: [(token: [UInt8], id: Int32)], unknownToken: String) {
        vocabulary = ByteTable(tokens)
        vocabularyCount = vocabulary.count
        largestID = tokens.reduce(-1) { max($0, $1.id) }
        self.unknownToken = unknownToken
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        ids.append(try vocabulary[word] ?? UnknownToken.id(unknownToken, in: vocabulary))
    }
}

private enum UnknownToken {
    static func id(_ token: String, in vocabulary: ByteTable) throws -> Int32 {
        guard let id = vocabulary[token] else {
            throw QuernError(
                .invalidInput, "the token for unknown text, \(token.quotedForMessage), is not in the vocabulary",
                at: "model.unk_token")
        }
        return id
    }
}

extension ByteTable {
    /// Of equal tokens the last counts.
    init(_ tokens: [(token: [UInt8], id: Int32)]) {
        self.init(capacity: tokens.count)
        for (token, id) in tokens { set(token, id) }
    }
}
