import QuernFormats

/// What makes ids of a word.
protocol SubwordModel: Sendable {
    /// From token to id.
    var vocabulary: ByteTable { get }
    /// Entries of the vocabulary, as added tokens are numbered from it.
    var vocabularyCount: Int { get }
    /// Negative where the vocabulary is empty.
    var largestID: Int32 { get }
    /// Where a long word may be cut without a change of ids; nil where that is not known.
    var seams: Seams? { get }

    /// Appends the ids of a word of valid UTF-8 that is not empty.
    /// - Throws: where the model has no token for what it does not know.
    func encode(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws
}

/// Memory that one call of `encode` uses again and again.
final class EncodingScratch {
    var merging = Merging()
    var cache = WordCache()
    var viterbi = Viterbi()
    /// A word as byte-level BPE spells it.
    var spelling: [UInt8] = []
    /// Bytes that steps of a pre-tokenizer have handed on, of the text that is encoded.
    var handedOn = 0
    private var regexMemory: RegexMemory?
    private var pace = Pace()

    /// How far a call is.
    private struct Pace {
        var progress: ((Double) throws -> Void)?
        var total = 1
        var done = 0
        var next = Int.max
    }

    /// Bytes between two reports: a few milliseconds.
    static let reported = 1 << 16

    /// Runs `body`, which counts the bytes that it is done with.
    func telling(_ progress: (Double) throws -> Void, of total: Int, _ body: () throws -> Void) throws {
        try withoutActuallyEscaping(progress) { progress in
            pace = Pace(progress: progress, total: max(1, total), next: Self.reported)
            defer { pace = Pace() }
            try body()
        }
    }

    @inline(__always)
    func count(_ bytes: Int) throws {
        pace.done += bytes
        if pace.done >= pace.next { try check() }
    }

    /// For work that takes long before there is something to count.
    /// - Throws: where the call is to end.
    func check() throws {
        pace.next = pace.done + Self.reported
        // Normalizers may have made more of the text than there was.
        try pace.progress?(min(1, Double(pace.done) / Double(pace.total)))
    }

    func regex() throws -> RegexMemory {
        if let regexMemory { return regexMemory }
        let memory = try RegexMemory()
        regexMemory = memory
        return memory
    }
}

/// Where no token reaches across: between two characters that stand side by side in no token. A tokenizer that does not
/// cut its text at all can then work on words, with the same result.
struct Seams: Sendable {
    /// A bit for every pair of neighbours in a token, by hash; pairs that share a bit only make words longer.
    private var bits: [UInt64]
    /// By code point of the basic plane: whether it is a token. Only between such is a seam.
    private var known: [Bool]

    private static let size = 1 << 20

    /// - Parameters:
    ///   - tokens: all that merging may make.
    ///   - characters: the code points that are tokens.
    init(tokens: some Sequence<[UInt8]>, characters: [UInt32]) {
        bits = [UInt64](repeating: 0, count: Self.size / 64)
        known = [Bool](repeating: false, count: 0x10000)
        for character in characters where character < 0x10000 { known[Int(character)] = true }
        for token in tokens {
            token.withUnsafeBufferPointer { bytes in
                guard !bytes.isEmpty else { return }
                var (left, index) = UTF8Text.scalar(bytes, at: 0)
                while index < bytes.count {
                    let (right, length) = UTF8Text.scalar(bytes, at: index)
                    let bit = Self.bit(left, right)
                    bits[bit >> 6] |= 1 << UInt64(bit & 63)
                    left = right
                    index += length
                }
            }
        }
    }

    /// The first seam behind `start`, or the end of the text.
    func next(_ text: UnsafeBufferPointer<UInt8>, after start: Int) -> Int {
        var (left, length) = UTF8Text.scalar(text, at: start)
        var index = start + length
        while index < text.count {
            let (right, length) = UTF8Text.scalar(text, at: index)
            if left < 0x10000, right < 0x10000, known[Int(left)], known[Int(right)] {
                let bit = Self.bit(left, right)
                if bits[bit >> 6] >> UInt64(bit & 63) & 1 == 0 { return index }
            }
            left = right
            index += length
        }
        return text.count
    }

    @inline(__always)
    private static func bit(_ left: UInt32, _ right: UInt32) -> Int {
        let key = UInt64(left) << 32 | UInt64(right)
        return Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 44)
    }
}
