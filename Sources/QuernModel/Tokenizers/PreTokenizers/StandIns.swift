/// Characters of Unicode 15 and 16 for an Oniguruma that knows Unicode 14 only, as Debian's does: for matching, each is
/// replaced by an older one of its category and of as many bytes, so that patterns cut as they do in the tokenizers
/// library, which brings a newer Oniguruma along.
struct StandIns: Sendable {
    /// Nil where the library needs none.
    static let shared: StandIns? = {
        // A symbol of Unicode 15.
        guard let symbols = try? Regex(#"\p{S}"#), let memory = try? RegexMemory() else { return nil }
        var isKnown = false
        Array("\u{1FAE8}".utf8).withUnsafeBufferPointer { text in
            try? symbols.forEachMatch(in: text, memory) { _ in isKnown = true }
        }
        return isKnown ? nil : StandIns()
    }()

    /// A bit for every code point from U+0800 on that needs one.
    private let bits: [UInt64]
    private static let first: UInt32 = 0x800
    private static let end: UInt32 = 0x323B0

    private init() {
        var bits = [UInt64](repeating: 0, count: Int(Self.end) / 64 + 1)
        for value in Self.first..<Self.end {
            // Ideographs and syllables that have been there from early on are most of the range.
            if (0x3400...0x9FFF).contains(value) || (0xAC00...0xDFFF).contains(value) { continue }
            guard let age = Unicode.Scalar(value)?.properties.age, (15...16).contains(age.major) else { continue }
            bits[Int(value >> 6)] |= 1 << UInt64(value & 63)
        }
        self.bits = bits
    }

    /// Calls `body` with the text as patterns should see it.
    static func withReplaced(
        _ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) rethrows {
        guard text.contains(where: { $0 >= 0xE0 }), let replaced = shared?.replaced(text) else { return try body(text) }
        try replaced.withUnsafeBufferPointer(body)
    }

    /// - Returns: nil where nothing needs replacing; else a text of the same length.
    func replaced(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var output: [UInt8]?
        var index = 0
        while index < text.count {
            guard text[index] >= 0xE0 else {
                index += 1
                continue
            }
            let (scalar, length) = UTF8Text.scalar(text, at: index)
            if scalar >= Self.first, scalar < Self.end, bits[Int(scalar >> 6)] >> UInt64(scalar & 63) & 1 == 1,
                let standIn = Self.standIn(for: CharacterClasses.category(scalar), bytes: length)
            {
                if output == nil { output = Array(text) }
                var bytes: [UInt8] = []
                UTF8Text.append(standIn, to: &bytes)
                output?.replaceSubrange(index..<index + length, with: bytes)
            }
            index += length
        }
        return output
    }

    /// Characters without peculiarities.
    private static func standIn(for category: Unicode.GeneralCategory, bytes: Int) -> UInt32? {
        let isShort = bytes == 3
        switch category {
        case .uppercaseLetter: return isShort ? 0xA722 : 0x10400
        case .lowercaseLetter: return isShort ? 0xA723 : 0x10428
        case .modifierLetter: return isShort ? 0x1D2C : 0x10780
        case .otherLetter: return isShort ? 0x0E01 : 0x10000
        case .nonspacingMark: return isShort ? 0x0E31 : 0x101FD
        case .spacingMark: return isShort ? 0x0903 : 0x11000
        case .decimalNumber: return isShort ? 0x0E50 : 0x104A0
        case .letterNumber: return isShort ? 0x2160 : 0x10140
        case .otherNumber: return isShort ? 0x2460 : 0x10107
        case .otherPunctuation: return isShort ? 0x2020 : 0x10100
        case .dashPunctuation: return isShort ? 0x2013 : 0x10EAD
        case .mathSymbol: return isShort ? 0x2200 : 0x1D6C1
        case .currencySymbol: return isShort ? 0x20AC : 0x1E2FF
        case .modifierSymbol: return isShort ? 0x309B : 0x1F3FB
        case .otherSymbol: return isShort ? 0x2600 : 0x10137
        case .format: return isShort ? 0x2060 : 0x110BD
        default: return nil
        }
    }
}
