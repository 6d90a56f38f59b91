/// Spells every byte as a visible character, for models whose vocabulary is spelled so.
struct ByteLevelStep: PreTokenizer {
    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        var spelling: [UInt8] = []
        ByteSpelling.spell(piece, into: &spelling)
        try spelling.withUnsafeBufferPointer { try emit($0, isFirst) }
    }
}

/// Puts a space before a piece that has none.
struct SpacePrefixStep: PreTokenizer {
    func split(
        _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch,
        emit: (UnsafeBufferPointer<UInt8>, _ isFirst: Bool) throws -> Void
    ) throws {
        guard piece.first != UInt8(ascii: " ") else { return try emit(piece, isFirst) }
        try ([UInt8(ascii: " ")] + piece).withUnsafeBufferPointer { try emit($0, isFirst) }
    }
}

/// The alphabet of byte-level BPE as UTF-8: printable ASCII and Latin-1 stand for themselves, the other 68 bytes are
/// U+0100 and on, in their order (GPT-2).
enum ByteSpelling {
    static func isPrintable(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
    }

    /// By byte: its character.
    static let characters: [UInt32] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            if isPrintable(byte) { return UInt32(byte) }
            defer { next += 1 }
            return next
        }
    }()

    static func spell(_ bytes: UnsafeBufferPointer<UInt8>, into spelling: inout [UInt8]) {
        spelling.removeAll(keepingCapacity: true)
        characters.withUnsafeBufferPointer { characters in
            for byte in bytes { UTF8Text.append(characters[Int(byte)], to: &spelling) }
        }
    }
}
