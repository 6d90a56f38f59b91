/// How long the search for a regular expression may take. The matcher tries all ways to share a text out among the parts
/// of a pattern, and strangers write patterns.
public enum PatternCost {
    /// Parts of a pattern that may be of any length: the time grows with the length of the text to this power.
    private static let mostRepetitions = 4

    /// - Parameter what: whose pattern it is, for the message.
    /// - Throws: `QuernError` `.usage` for more repetitions than that, and for one around what can match in several ways,
    ///   which takes time that doubles with each character.
    public static func check(_ pattern: String, _ what: String = "") throws(QuernError) {
        guard isBounded(pattern) else {
            throw QuernError(
                .usage, "matching \(what)\(pattern.quotedForMessage) may take forever",
                remedy:
                    "Write it with at most \(mostRepetitions) of * and +, and none of them around another or around |")
        }
    }

    private static func isBounded(_ pattern: String) -> Bool {
        let bytes = Array(pattern.utf8)
        // For each group that is open, whether it matches in several ways; the first is the pattern itself.
        var isOpenEnded = [false]
        var hasClosed = false
        var repetitions = 0
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\\"):
                position += 1
                hasClosed = false
            case UInt8(ascii: "["):
                // A bracket that closes at once is one of the characters.
                if position < bytes.count, bytes[position] == UInt8(ascii: "^") { position += 1 }
                if position < bytes.count, bytes[position] == UInt8(ascii: "]") { position += 1 }
                while position < bytes.count, bytes[position] != UInt8(ascii: "]") {
                    position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                position += 1
                hasClosed = false
            case UInt8(ascii: "("):
                isOpenEnded.append(false)
                // What follows a question mark says what kind of group it is.
                if position < bytes.count, bytes[position] == UInt8(ascii: "?") { position += 1 }
                hasClosed = false
            case UInt8(ascii: ")"):
                let inner = isOpenEnded.count > 1 ? isOpenEnded.removeLast() : false
                hasClosed = inner
                if inner { isOpenEnded[isOpenEnded.count - 1] = true }
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "{"):
                if hasClosed { return false }
                repetitions += 1
                isOpenEnded[isOpenEnded.count - 1] = true
            case UInt8(ascii: "|"), UInt8(ascii: "?"):
                isOpenEnded[isOpenEnded.count - 1] = true
                hasClosed = false
            default: hasClosed = false
            }
        }
        return repetitions <= mostRepetitions
    }
}
