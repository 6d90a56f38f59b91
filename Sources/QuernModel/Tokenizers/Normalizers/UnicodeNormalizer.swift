import Foundation

/// The normalization forms of Unicode (UAX #15), with the data of Unicode 9 as in the tokenizers library: characters
/// that are newer stay as they are. The data come from Foundation, which knows newer versions, at first use.
struct UnicodeNormalizer: Normalizer {
    enum Form: String, Sendable {
        case nfc = "NFC"
        case nfd = "NFD"
        case nfkc = "NFKC"
        case nfkd = "NFKD"

        var isCompatible: Bool { self == .nfkc || self == .nfkd }
        var composes: Bool { self == .nfc || self == .nfkc }
    }

    let form: Form

    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        Self.normalize(&text, compatibility: form.isCompatible, composing: form.composes)
    }

    static func decompose(_ text: inout NormalizedText, compatibility: Bool) {
        normalize(&text, compatibility: compatibility, composing: false)
    }

    private static func normalize(_ text: inout NormalizedText, compatibility: Bool, composing: Bool) {
        // Two bytes that begin with less are below U+00A0, where nothing changes.
        guard text.bytes.contains(where: { $0 >= 0xC2 }) else { return }
        let unstable = UnicodeData.shared.unstable(compatibility: compatibility, composing: composing)
        var output: [UInt8] = []
        output.reserveCapacity(text.bytes.count + 16)
        var run = NormalizationRun(compatibility: compatibility, composing: composing)
        text.bytes.withUnsafeBufferPointer { source in
            var index = 0
            var copied = 0
            while index < source.count {
                let (scalar, length) = UTF8Text.scalar(source, at: index)
                guard unstable(scalar) else {
                    index += length
                    continue
                }
                // Marks act on the character before them, so a run begins with it.
                let start = index > copied ? UTF8Text.start(source, before: index) : index
                output.append(contentsOf: source[copied..<start])
                var end = start
                while end < source.count {
                    let (scalar, length) = UTF8Text.scalar(source, at: end)
                    if end > index, !unstable(scalar) { break }
                    run.append(scalar)
                    end += length
                }
                run.finish(into: &output)
                copied = end
                index = end
            }
            output.append(contentsOf: source[copied...])
        }
        text.bytes = output
    }
}

/// Characters that are normalized together.
struct NormalizationRun {
    private let compatibility: Bool
    private let composing: Bool
    private var scalars: [(scalar: UInt32, order: UInt8)] = []

    init(compatibility: Bool, composing: Bool) {
        self.compatibility = compatibility
        self.composing = composing
    }

    /// Takes a character apart.
    mutating func append(_ scalar: UInt32) {
        if (Hangul.first..<Hangul.first + Hangul.count).contains(scalar) {
            for part in Hangul.parts(of: scalar) { scalars.append((part, 0)) }
            return
        }
        let data = UnicodeData.shared
        guard let parts = data.decomposition(of: scalar, compatibility: compatibility) else {
            scalars.append((scalar, data.combiningClass(of: scalar)))
            return
        }
        for part in parts { scalars.append((part, data.combiningClass(of: part))) }
    }

    /// Orders marks, composes where asked to, and writes the text.
    mutating func finish(into output: inout [UInt8]) {
        reorder()
        if composing { compose() }
        for (scalar, _) in scalars { UTF8Text.append(scalar, to: &output) }
        scalars.removeAll(keepingCapacity: true)
    }

    /// Marks between starters by their classes; equal ones keep their order.
    private mutating func reorder() {
        var index = 0
        while index < scalars.count {
            guard scalars[index].order != 0 else {
                index += 1
                continue
            }
            var end = index
            var isSorted = true
            while end < scalars.count, scalars[end].order != 0 {
                if end > index, scalars[end - 1].order > scalars[end].order { isSorted = false }
                end += 1
            }
            if !isSorted {
                // The sort of the standard library is stable in fact, but does not promise it.
                let sorted = scalars[index..<end].enumerated().sorted {
                    ($0.element.order, $0.offset) < ($1.element.order, $1.offset)
                }
                scalars.replaceSubrange(index..<end, with: sorted.map(\.element))
            }
            index = end
        }
    }

    private mutating func compose() {
        let data = UnicodeData.shared
        var starter = -1
        var lastOrder: UInt8 = 0
        var kept = 0
        for index in scalars.indices {
            let (scalar, order) = scalars[index]
            // Between the starter and this one stands nothing, or only what does not block it.
            let isAdjacent = starter == kept - 1
            if starter >= 0, isAdjacent || (lastOrder < order && lastOrder != 0),
                let made = data.composition(scalars[starter].scalar, scalar)
            {
                scalars[starter].scalar = made
                continue
            }
            if order == 0 { starter = kept }
            lastOrder = order
            scalars[kept] = (scalar, order)
            kept += 1
        }
        scalars.removeLast(scalars.count - kept)
    }
}

/// Syllables of Hangul are composed by arithmetic (The Unicode Standard, 3.12).
enum Hangul {
    static let first: UInt32 = 0xAC00
    static let count: UInt32 = 11172
    private static let leading: UInt32 = 0x1100
    private static let vowel: UInt32 = 0x1161
    private static let trailing: UInt32 = 0x11A7

    /// The parts that join what stands before them.
    static var followers: [UInt32] { Array(vowel..<vowel + 21) + Array(trailing + 1..<trailing + 28) }

    static func parts(of syllable: UInt32) -> [UInt32] {
        let index = syllable - first
        let tail = index % 28
        let open = [leading + index / 588, vowel + index % 588 / 28]
        return tail == 0 ? open : open + [trailing + tail]
    }

    static func composition(_ left: UInt32, _ right: UInt32) -> UInt32? {
        if (leading..<leading + 19).contains(left), (vowel..<vowel + 21).contains(right) {
            return first + (left - leading) * 588 + (right - vowel) * 28
        }
        guard left >= first, left < first + count, (left - first) % 28 == 0,
            (trailing + 1..<trailing + 28).contains(right)
        else { return nil }
        return left + right - trailing
    }
}
