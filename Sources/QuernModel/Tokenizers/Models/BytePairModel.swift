import QuernFormats

/// BPE with a list of merges (Sennrich et al., arXiv:1508.07909), with the settings that a tokenizer.json has for it.
struct BytePairModel: SubwordModel, MergeRule {
    let vocabulary: ByteTable
    let vocabularyCount: Int
    let largestID: Int32
    let seams: Seams?
    private let merges: MergeTable
    private let settings: Settings
    /// By code point of the basic plane: its id, or -1.
    private let characters: [Int32]
    /// By byte: the id of `<0xXX>`, or -1. Empty where bytes are no fallback.
    private let bytes: [Int32]
    private let unknown: Int32?

    struct Settings: Sendable {
        /// The token for what has none.
        var unknownToken: String?
        var fusesUnknown = false
        /// Whether characters without a token are spelled in tokens for their bytes.
        var hasByteFallback = false
        /// Whether words that are tokens are taken before any merge.
        var ignoresMerges = false
        /// Before every character but the first.
        var prefix: [UInt8] = []
        /// Behind the last character.
        var suffix: [UInt8] = []
    }

    struct Merge {
        let left: Int32
        let right: Int32
        let made: Int32
        /// The text of what is made.
        let text: [UInt8]
    }

    /// - Parameters:
    ///   - tokens: with their ids, of equal tokens the last counts.
    ///   - merges: in the order of their ranks.
    init(tokens: [(token: [UInt8], id: Int32)], merges: [Merge], settings: Settings) {
        var vocabulary = ByteTable(capacity: tokens.count)
        var characters = [Int32](repeating: -1, count: 0x10000)
        for (token, id) in tokens {
            vocabulary.set(token, id)
            guard !token.isEmpty, token.count <= 3, UTF8Text.length(token[0]) == token.count else { continue }
            let scalar = token.withUnsafeBufferPointer { UTF8Text.scalar($0, at: 0).value }
            characters[Int(scalar & 0xFFFF)] = id
        }
        var table = MergeTable(capacity: merges.count)
        for (rank, merge) in merges.enumerated() {
            table.set(merge.left, merge.right, rank: UInt32(rank), made: merge.made)
        }
        self.vocabulary = vocabulary
        self.merges = table
        self.settings = settings
        self.characters = characters
        vocabularyCount = vocabulary.count
        largestID = tokens.reduce(-1) { max($0, $1.id) }
        bytes = settings.hasByteFallback ? ByteTokens.ids(in: vocabulary) : []
        unknown = settings.unknownToken.flatMap { vocabulary[$0] }
        // Words that are tokens may be longer than what merging makes of them; affixes depend on the place in the word.
        if settings.ignoresMerges || !settings.prefix.isEmpty || !settings.suffix.isEmpty {
            seams = nil
        } else {
            seams = Seams(
                tokens: merges.lazy.map(\.text),
                characters: characters.indices.filter { characters[$0] >= 0 }.map { UInt32($0) })
        }
    }

    @inline(__always)
    func merge(_ left: Symbol, _ right: Symbol) -> UInt64 { merges.merge(left.id, right.id) }

    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        if settings.ignoresMerges, let id = vocabulary[word] {
            ids.append(id)
            return
        }
        scratch.merging.symbols.removeAll(keepingCapacity: true)
        try split(word, into: &scratch.merging.symbols)
        try scratch.merging.merge(by: self, check: scratch.check)
        for symbol in scratch.merging.symbols { ids.append(symbol.id) }
    }

    /// The characters of a word as symbols.
    private func split(_ word: UnsafeBufferPointer<UInt8>, into symbols: inout [Symbol]) throws {
        var isUnknown = false
        var index = 0
        while index < word.count {
            let (scalar, length) = UTF8Text.scalar(word, at: index)
            let start = index
            index += length
            let character = UnsafeBufferPointer(rebasing: word[start..<index])
            let affixed = affixed(character, isFirst: start == 0, isLast: index == word.count)
            var id: Int32 = -1
            if let affixed {
                id = vocabulary[affixed] ?? -1
            } else if scalar < 0x10000 {
                id = characters[Int(scalar)]
            } else {
                id = vocabulary[character] ?? -1
            }
            if id >= 0 {
                if isUnknown, let unknown { append(unknown, start, 1, to: &symbols) }
                isUnknown = false
                append(id, start, length, to: &symbols)
                continue
            }
            if !bytes.isEmpty {
                let spelled = affixed ?? Array(character)
                if spelled.allSatisfy({ bytes[Int($0)] >= 0 }) {
                    for byte in spelled { append(bytes[Int(byte)], start, 1, to: &symbols) }
                    continue
                }
            }
            guard let token = settings.unknownToken else { continue }
            guard let unknown else {
                throw QuernError(
                    .invalidInput, "the token for unknown text, \(token.quotedForMessage), is not in the vocabulary",
                    at: "model.unk_token")
            }
            if isUnknown, !settings.fusesUnknown { append(unknown, start, 1, to: &symbols) }
            isUnknown = true
        }
        if isUnknown, let unknown { append(unknown, word.count, 1, to: &symbols) }
    }

    private func affixed(_ character: UnsafeBufferPointer<UInt8>, isFirst: Bool, isLast: Bool) -> [UInt8]? {
        let prefix = isFirst ? [] : settings.prefix
        let suffix = isLast ? settings.suffix : []
        return prefix.isEmpty && suffix.isEmpty ? nil : prefix + character + suffix
    }

    private func append(_ id: Int32, _ start: Int, _ length: Int, to symbols: inout [Symbol]) {
        symbols.append(Symbol(id: id, start: UInt32(truncatingIfNeeded: start), length: UInt32(length)))
    }
}

/// `<0x00>` to `<0xFF>`.
enum ByteTokens {
    /// By byte: its id, or -1.
    static func ids(in vocabulary: ByteTable) -> [Int32] {
        (UInt8.min...UInt8.max).map { vocabulary[name(of: $0)] ?? -1 }
    }

    static func name(of byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count < 2 ? "<0x0\(digits)>" : "<0x\(digits)>"
    }
}
