import QuernFormats

/// Cuts where a regular expression matches, or, inverted, where it does not.
struct PatternSplit: PreTokenizer {
    let regex: Regex
    let behavior: SplitBehavior
    let isInverted: Bool

    /// The split of GPT-2, which byte-level pre-tokenizers have built in.
    static let wordsOfGPT2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    init(_ regex: Regex, _ behavior: SplitBehavior = .isolated, isInverted: Bool = false) {
        self.regex = regex
        self.behavior = behavior
        self.isInverted = isInverted
    }

    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var maker = PieceMaker(piece, isFirst: isFirst, behavior, isInverted: isInverted)
        try StandIns.withReplaced(piece) { text in
            try regex.forEachMatch(in: text, try scratch.regex()) { try maker.match($0, emit: emit) }
        }
        try maker.finish(emit: emit)
    }
}

/// Cuts where a text stands.
struct TextSplit: PreTokenizer {
    /// Not empty.
    let text: [UInt8]
    let behavior: SplitBehavior
    let isInverted: Bool

    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var maker = PieceMaker(piece, isFirst: isFirst, behavior, isInverted: isInverted)
        try TextSearch.forEach(text, in: piece) { try maker.match($0..<$0 + text.count, emit: emit) }
        try maker.finish(emit: emit)
    }
}

/// Finds one byte string in another.
enum TextSearch {
    /// Calls `found` with the beginning of every occurrence, from left to right and without overlap.
    static func forEach(
        _ text: [UInt8], in source: UnsafeBufferPointer<UInt8>, _ found: (Int) throws -> Void
    ) rethrows {
        guard let first = text.first, text.count <= source.count else { return }
        var index = 0
        while index <= source.count - text.count {
            guard source[index] == first, text.indices.allSatisfy({ source[index + $0] == text[$0] }) else {
                index += 1
                continue
            }
            try found(index)
            index += text.count
        }
    }
}
