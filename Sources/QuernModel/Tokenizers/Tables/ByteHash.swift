/// A hash of short byte strings, seeded per process: vocabularies and texts are chosen by others.
enum ByteHash {
    private static let seed = UInt64.random(in: .min ... .max)

    @inline(__always)
    static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let count = bytes.count
        guard let base = bytes.baseAddress, count > 0 else { return mix(seed, 0) }
        let raw = UnsafeRawPointer(base)
        var state = seed ^ UInt64(truncatingIfNeeded: count)
        var offset = 0
        while count - offset > 8 {
            state = mix(state ^ raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self), 0x9E37_79B9_7F4A_7C15)
            offset += 8
        }
        return mix(state ^ tail(raw + offset, count - offset), 0xD6E8_FEB8_6659_FD93)
    }

    @inline(__always)
    static func hash(_ key: UInt64) -> UInt64 { mix(key ^ seed, 0x9E37_79B9_7F4A_7C15) }

    /// Up to eight bytes as one number.
    @inline(__always)
    private static func tail(_ raw: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let low = UInt64(raw.loadUnaligned(as: UInt32.self))
            let high = UInt64(raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            return high << 32 | low
        }
        var value: UInt64 = 0
        for index in 0..<count { value = value << 8 | UInt64(raw.load(fromByteOffset: index, as: UInt8.self)) }
        return value
    }

    /// Both halves of the product of 128 bits.
    @inline(__always)
    private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = (a ^ b).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }
}
