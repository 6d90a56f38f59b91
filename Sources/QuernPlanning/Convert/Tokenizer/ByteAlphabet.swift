/// The alphabet of byte-level BPE: every byte is spelled as a visible character. Printable ASCII and Latin-1 stand for
/// themselves; the other 68 bytes are U+0100 and on, in their order.
enum ByteAlphabet {
    /// The text a token stands for: its characters as bytes if all of them are of the alphabet, else the token itself.
    /// Bytes that are no UTF-8 become U+FFFD.
    static func decoded(_ token: String) -> String {
        var bytes: [UInt8] = []
        for scalar in token.unicodeScalars {
            guard let byte = byte(of: scalar.value) else { return token }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func byte(of character: UInt32) -> UInt8? {
        if isPrintable(character) { return UInt8(character) }
        guard character >= 0x100 else { return nil }
        let place = Int(character - 0x100)
        return place < others.count ? others[place] : nil
    }

    private static let others: [UInt8] = (UInt8.min...UInt8.max).filter { !isPrintable(UInt32($0)) }

    private static func isPrintable(_ byte: UInt32) -> Bool {
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
    }
}
