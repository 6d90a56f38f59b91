import Foundation
import QuernFormats

/// The replacements that a SentencePiece model brings along: a double-array trie (Darts) and the texts it leads to.
///
/// Layout: sentencepiece's normalizer. A count of bytes (u32, little-endian), as many bytes of trie units (u32), then the
/// texts, each ended by a zero.
struct PrecompiledCharsmap: Normalizer {
    private let units: [UInt32]
    private let texts: [UInt8]

    /// - Throws: `.invalidInput` where the bytes are no such map.
    init(_ bytes: [UInt8]) throws {
        guard bytes.count >= 4 else { throw Self.fault("is shorter than its header") }
        let size = bytes[0..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard size % 4 == 0, size <= bytes.count - 4 else { throw Self.fault("has a trie that runs past its end") }
        units = stride(from: 4, to: 4 + size, by: 4).map { offset in
            bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        texts = Array(bytes[(4 + size)...])
    }

    private static func fault(_ message: String) -> QuernError {
        QuernError(.invalidInput, "the precompiled map of characters \(message)", at: "precompiled_charsmap")
    }

    /// By grapheme cluster where there is a replacement for all of it, else by character: so does the tokenizers library.
    func normalize(_ text: inout NormalizedText, _ scratch: EncodingScratch) throws {
        var output: [UInt8] = []
        output.reserveCapacity(text.bytes.count + text.bytes.count / 8)
        let source = String(decoding: text.bytes, as: UTF8.self)
        for cluster in source {
            let bytes = Array(cluster.utf8)
            if bytes.count < 6, let replacement = firstPrefix(of: bytes[...]) {
                output.append(contentsOf: replacement)
                try text.growth.check(output.count)
                continue
            }
            for scalar in cluster.unicodeScalars {
                let bytes = Array(String(scalar).utf8)
                output.append(contentsOf: firstPrefix(of: bytes[...]) ?? bytes[...])
                try text.growth.check(output.count)
            }
        }
        // What a file puts in their place need not be characters.
        text.bytes = UTF8Text.repaired(output)
    }

    /// The replacement of the shortest prefix that has one.
    func firstPrefix(of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        matches(bytes, longest: false).map(\.replacement)
    }

    /// The replacement of the longest text at `start` that has one, and the length of that text.
    func longestPrefix(
        of text: UnsafeBufferPointer<UInt8>, at start: Int
    ) -> (replacement: ArraySlice<UInt8>, length: Int)? {
        matches(text[start...], longest: true)
    }

    /// A unit has the label in its low byte, whether a value hangs below it in bit 8, and the way to its children in
    /// bits 10 and up, shifted further where bit 9 is set.
    private func matches(
        _ bytes: some Sequence<UInt8>, longest: Bool
    ) -> (replacement: ArraySlice<UInt8>, length: Int)? {
        guard !units.isEmpty else { return nil }
        var found: (replacement: ArraySlice<UInt8>, length: Int)?
        var node = Self.offset(units[0])
        for (length, byte) in bytes.enumerated() {
            guard byte != 0 else { return found }
            node ^= Int(byte)
            guard node < units.count else { return found }
            let unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { return found }
            node ^= Self.offset(unit)
            guard node < units.count else { return found }
            if unit >> 8 & 1 == 1, let text = text(at: Int(units[node] & 0x7FFF_FFFF)) {
                found = (text, length + 1)
                if !longest { return found }
            }
        }
        return found
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }

    private func text(at start: Int) -> ArraySlice<UInt8>? {
        guard start < texts.count else { return nil }
        let end = texts[start...].firstIndex(of: 0) ?? texts.endIndex
        return texts[start..<end]
    }
}
