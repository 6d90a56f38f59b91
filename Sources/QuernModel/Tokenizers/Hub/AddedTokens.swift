/// Tokens that are looked for in the text before anything else happens to it.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        var content: [UInt8]
        var id: Int32
        var isSpecial = false
        /// Only where no letter or digit stands before or behind it.
        var isSingleWord = false
        /// Takes the white space before it along.
        var stripsLeft = false
        var stripsRight = false
        /// Looked for in the normalized text.
        var isNormalized = false
    }

    private let tokens: [Token]
    private let trie: ByteTrie

    /// - Parameter tokens: with their contents as they stand in the text that is searched.
    init(_ tokens: [Token]) {
        self.tokens = tokens
        trie = ByteTrie(tokens.enumerated().map { ($1.content, Int32($0)) })
    }

    var isEmpty: Bool { trie.isEmpty }

    /// Cuts a text at the tokens in it: of those that begin first the longest, then on behind it. A token may take
    /// white space along.
    /// - Parameters:
    ///   - text: called with what lies between tokens; never empty.
    ///   - token: called with the id of a token.
    func cut(
        _ source: UnsafeBufferPointer<UInt8>, text: (Range<Int>) throws -> Void, token: (Int32) throws -> Void
    ) rethrows {
        guard !trie.isEmpty else {
            if !source.isEmpty { try text(0..<source.count) }
            return
        }
        var done = 0
        var index = 0
        while index < source.count {
            guard trie.begins(with: source[index]), let match = trie.longestMatch(source, at: index) else {
                index += 1
                continue
            }
            let found = tokens[Int(match.value)]
            var start = index
            var end = index + match.length
            index = end
            if found.isSingleWord, !isAlone(source, start, end) { continue }
            if found.stripsLeft { start = max(done, Self.spaceStart(source, start)) }
            if found.stripsRight { end = Self.spaceEnd(source, end) }
            if done < start { try text(done..<start) }
            try token(found.id)
            done = end
        }
        if done < source.count { try text(done..<source.count) }
    }

    private func isAlone(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        if start > 0 {
            let before = UTF8Text.scalar(text, at: UTF8Text.start(text, before: start)).value
            if CharacterClasses.isWord(before) { return false }
        }
        return end == text.count || !CharacterClasses.isWord(UTF8Text.scalar(text, at: end).value)
    }

    private static func spaceStart(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> Int {
        var index = end
        while index > 0 {
            let start = UTF8Text.start(text, before: index)
            guard CharacterClasses.isWhitespace(UTF8Text.scalar(text, at: start).value) else { break }
            index = start
        }
        return index
    }

    private static func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
        var index = start
        while index < text.count {
            let (scalar, length) = UTF8Text.scalar(text, at: index)
            guard CharacterClasses.isWhitespace(scalar) else { break }
            index += length
        }
        return index
    }
}
