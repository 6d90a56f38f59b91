import QuernFormats

/// Text on its way to the tokens.
struct NormalizedText {
    /// Valid UTF-8.
    var bytes: [UInt8]
    /// Whether what it begins with stood where the text of the user begins.
    var isFirst: Bool
    let growth: TextGrowth

    init(bytes: [UInt8], isFirst: Bool) {
        self.bytes = bytes
        self.isFirst = isFirst
        growth = TextGrowth(of: bytes.count)
    }
}

/// How long a text may become on its way to the tokens. A file can be made so that every step doubles the text.
struct TextGrowth: Sendable {
    private let limit: Int
    private let place: StaticString

    /// No form of Unicode makes more than eleven bytes of three, and spelling those doubles them.
    private static let factor = 32
    /// What short texts may grow to.
    private static let slack = 1 << 16

    /// - Parameters:
    ///   - count: bytes of the text as it was given.
    ///   - steps: how many of them may make as much.
    ///   - place: what makes them, in the file.
    init(of count: Int, by steps: Int = 1, at place: StaticString = "normalizer") {
        limit = (count * Self.factor + Self.slack) * steps
        self.place = place
    }

    /// - Parameter count: bytes that the steps have made so far.
    /// - Throws: `.invalidInput` where they are more than any language needs.
    @inline(__always)
    func check(_ count: Int) throws {
        if count > limit { throw excess }
    }

    private var excess: QuernError {
        QuernError(
            .invalidInput, "it makes more than \(Self.factor) times as much of a text", at: "\(place)",
            remedy: "The tokenizer is damaged, or made to do harm: get it again from where it was published")
    }
}

extension [any Normalizer] {
    /// Takes a text through all steps.
    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        for normalizer in self {
            try scratch.check()
            try normalizer.normalize(&text, scratch)
            try text.growth.check(text.bytes.count)
        }
    }
}

/// A step that rewrites text before it is cut.
protocol Normalizer: Sendable {
    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws
}

/// Rewrites or drops single characters.
struct CharacterNormalizer: Normalizer {
    enum Change: String, Sendable {
        case lowercase = "Lowercase"
        case stripAccents = "StripAccents"
        case nmt = "Nmt"
    }

    let change: Change

    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        switch change {
        case .lowercase: text.rewrite(CharacterRewriting.lowercase)
        case .stripAccents: text.rewrite { LegacyUnicode.isCombiningMark($0) ? .drop : .keep }
        case .nmt: text.rewrite(CharacterRewriting.nmt)
        }
    }
}

/// What becomes of a character.
enum Rewriting {
    case keep
    case drop
    case replace(UInt32)
    case spell(String)
}

extension NormalizedText {
    /// Rewrites character by character. Copies nothing where nothing changes.
    @inline(__always)
    mutating func rewrite(_ rule: (UInt32) -> Rewriting) {
        var output: [UInt8] = []
        var copied = 0
        var changed = false
        var first = isFirst
        bytes.withUnsafeBufferPointer { source in
            var index = 0
            while index < source.count {
                let (scalar, length) = UTF8Text.scalar(source, at: index)
                let rewriting = rule(scalar)
                defer { index += length }
                if case .keep = rewriting { continue }
                if !changed {
                    changed = true
                    output.reserveCapacity(source.count + source.count / 8)
                }
                output.append(contentsOf: source[copied..<index])
                copied = index + length
                switch rewriting {
                case .keep: break
                case .drop: if output.isEmpty { first = false }
                case .replace(let scalar): UTF8Text.append(scalar, to: &output)
                case .spell(let text): output.append(contentsOf: text.utf8)
                }
            }
            if changed { output.append(contentsOf: source[copied...]) }
        }
        guard changed else { return }
        bytes = output
        isFirst = first
    }
}

enum CharacterRewriting {
    /// Every character by itself: no rule looks at its neighbours.
    static func lowercase(_ scalar: UInt32) -> Rewriting {
        if scalar < 0x80 { return (0x41...0x5A).contains(scalar) ? .replace(scalar + 0x20) : .keep }
        guard let properties = Unicode.Scalar(scalar)?.properties, properties.changesWhenLowercased else {
            return .keep
        }
        return .spell(properties.lowercaseMapping)
    }

    /// The characters that machine translation models drop, and those that they take for a space.
    static func nmt(_ scalar: UInt32) -> Rewriting {
        switch scalar {
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: .drop
        case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: .replace(0x20)
        default: .keep
        }
    }
}

/// Removes white space from the ends.
struct StripNormalizer: Normalizer {
    let left: Bool
    let right: Bool

    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        let kept = text.bytes.withUnsafeBufferPointer { source -> Range<Int> in
            var start = 0
            var end = source.count
            while left, start < end {
                let (scalar, length) = UTF8Text.scalar(source, at: start)
                guard CharacterClasses.isWhitespace(scalar) else { break }
                start += length
            }
            while right, end > start {
                let last = UTF8Text.start(source, before: end)
                guard CharacterClasses.isWhitespace(UTF8Text.scalar(source, at: last).value) else { break }
                end = last
            }
            return start..<end
        }
        guard kept.count < text.bytes.count else { return }
        if kept.lowerBound > 0 { text.isFirst = false }
        text.bytes = Array(text.bytes[kept])
    }
}

/// Puts a text before every text that is not empty.
struct PrependNormalizer: Normalizer {
    let prefix: [UInt8]

    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        if !text.bytes.isEmpty { text.bytes.insert(contentsOf: prefix, at: 0) }
    }
}

/// Spells every byte as a visible character.
struct ByteLevelNormalizer: Normalizer {
    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        var spelling: [UInt8] = []
        text.bytes.withUnsafeBufferPointer { ByteSpelling.spell($0, into: &spelling) }
        text.bytes = spelling
    }
}

/// Replaces what a pattern matches.
struct ReplaceNormalizer: Normalizer {
    enum Pattern: Sendable {
        case text([UInt8])
        case regex(Regex)
    }

    let pattern: Pattern
    let content: [UInt8]

    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        var output: [UInt8] = []
        var done = 0
        var first = text.isFirst
        try text.bytes.withUnsafeBufferPointer { source in
            func replace(_ match: Range<Int>) throws {
                if output.isEmpty { output.reserveCapacity(source.count + source.count / 4) }
                output.append(contentsOf: source[done..<match.lowerBound])
                output.append(contentsOf: content)
                if output.isEmpty, !match.isEmpty { first = false }
                done = match.upperBound
                try text.growth.check(output.count)
            }
            switch pattern {
            case .text(let wanted):
                try TextSearch.forEach(wanted, in: source) { try replace($0..<$0 + wanted.count) }
            case .regex(let regex):
                try regex.forEachMatch(in: source, try scratch.regex(), replace)
            }
            if done > 0 || !output.isEmpty { output.append(contentsOf: source[done...]) }
        }
        guard done > 0 || !output.isEmpty else { return }
        text.bytes = output
        text.isFirst = first
    }
}

/// What BERT does: control characters out, spaces around Chinese characters, accents off, letters small.
struct BertNormalizer: Normalizer {
    let cleansText: Bool
    let isolatesChinese: Bool
    let stripsAccents: Bool
    let lowercases: Bool

    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        if cleansText {
            text.rewrite { scalar in
                if scalar == 0 || scalar == 0xFFFD { return .drop }
                if CharacterClasses.isWhitespace(scalar), scalar != 0x0B, scalar != 0x0C, scalar != 0x85 {
                    return scalar == 0x20 ? .keep : .replace(0x20)
                }
                return LegacyUnicode.isOther(scalar) ? .drop : .keep
            }
        }
        if isolatesChinese {
            text.rewrite { scalar in
                guard Self.isChinese(scalar), let character = Unicode.Scalar(scalar) else { return .keep }
                return .spell(" \(character) ")
            }
        }
        if stripsAccents {
            UnicodeNormalizer.decompose(&text, compatibility: false)
            text.rewrite { LegacyUnicode.isNonspacingMark($0) ? .drop : .keep }
        }
        if lowercases { text.rewrite(CharacterRewriting.lowercase) }
    }

    private static func isChinese(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
            0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }
}
