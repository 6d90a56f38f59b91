/// How SentencePiece prepares a text: characters mapped, spaces thinned out and made visible, one put before the text.
struct SpaceEscaping: Sendable {
    var charsmap: PrecompiledCharsmap?
    /// Texts that no rule changes.
    var untouched: ByteTrie?
    var addsPrefix = true
    var removesExtraSpaces = false
    /// Whether nothing is done but to make spaces visible and to put the prefix before the text.
    var isPlain = true

    static let mark: [UInt8] = [0xE2, 0x96, 0x81]

    /// - Throws: where the map of characters makes far too much of the text.
    func escaped(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count + text.count / 2 + 3)
        guard !isPlain else {
            if addsPrefix { output += Self.mark }
            for byte in text { put(byte, to: &output) }
            return output
        }
        // The prefix comes with the first character that is no space; so do spaces between words where they are thinned
        // out.
        var isInWord = false
        var isPrefixed = false
        func take(_ bytes: some Sequence<UInt8>) {
            for byte in bytes {
                if byte == 0x20 {
                    isInWord = false
                    if !removesExtraSpaces { output += Self.mark }
                    continue
                }
                if !isInWord {
                    isInWord = true
                    if addsPrefix && !isPrefixed || removesExtraSpaces && !output.isEmpty {
                        output += Self.mark
                        isPrefixed = true
                    }
                }
                output.append(byte)
            }
        }
        let growth = TextGrowth(of: text.count)
        var index = 0
        while index < text.count {
            if let match = untouched?.longestMatch(text, at: index) {
                take(text[index..<index + match.length])
                index += match.length
            } else if let match = charsmap?.longestPrefix(of: text, at: index) {
                take(match.replacement)
                try growth.check(output.count)
                index += match.length
            } else {
                let length = min(UTF8Text.length(text[index]), text.count - index)
                take(text[index..<index + length])
                index += length
            }
        }
        return output
    }

    @inline(__always)
    private func put(_ byte: UInt8, to output: inout [UInt8]) {
        if byte == 0x20 { output.append(contentsOf: Self.mark) } else { output.append(byte) }
    }
}
