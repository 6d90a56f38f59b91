/// The types of one and two bits, and of trits, without a search: one half-precision scale for each block.
extension ReferenceEncoder {
    /// Q1_0: scale, the mean magnitude; 16 bytes of signs, first value lowest, set for zero and above.
    static func q1_0(_ x: [Float]) -> [UInt8] {
        let scale = x.reduce(0) { $0 + $1.magnitude } / 128
        var signs = [UInt8](repeating: 0, count: 16)
        for i in x.indices where x[i] >= 0 { signs[i / 8] |= 1 << UInt8(i % 8) }
        return scale.halfBits.littleEndianBytes + signs
    }

    /// Q2_0: scale, the largest magnitude; 16 bytes of four neighbouring quants + 1, the first lowest.
    static func q2_0(_ x: [Float]) -> [UInt8] {
        let scale = largest(x).magnitude
        let inverse = inverseOrZero(scale)
        // A subnormal scale has no finite inverse: all quants are then the lowest.
        let stored = inverse.isFinite ? x.map { rounded($0 * inverse) + 1 } : x.map { _ in 0 }
        let bytes = stride(from: 0, to: 64, by: 4).map { pairs(stored[$0..<$0 + 4]) }
        return scale.halfBits.littleEndianBytes + bytes
    }

    /// TQ1_0: 48 bytes of five trits and 4 bytes of four, and the scale: the largest magnitude.
    static func tq1_0(_ x: [Float]) -> [UInt8] {
        let trits = trits(x)
        /// Bytes of the trits at first ..< first + count, at as many more, and so on: as a fraction of 3⁵, scaled to
        /// 256 and rounded up.
        func bytes(first: Int, count: Int, trits places: Int) -> [UInt8] {
            (first..<first + count).map { start in
                let digits = (0..<5).map { $0 < places ? trits[start + $0 * count] : 0 }
                let number = digits.reduce(0) { 3 * $0 + $1 }
                return UInt8((number * 256 + 242) / 243)
            }
        }
        return bytes(first: 0, count: 32, trits: 5) + bytes(first: 160, count: 16, trits: 5)
            + bytes(first: 240, count: 4, trits: 4) + largest(x).magnitude.halfBits.littleEndianBytes
    }

    /// TQ2_0: 64 bytes of trits j, j + 32, j + 64 and j + 96 of each half, the first lowest, and the scale: the largest
    /// magnitude.
    static func tq2_0(_ x: [Float]) -> [UInt8] {
        let trits = trits(x)
        let bytes = [0, 128].flatMap { half in
            (half..<half + 32).map { first in pairs((0..<4).map { trits[first + 32 * $0] }) }
        }
        return bytes + largest(x).magnitude.halfBits.littleEndianBytes
    }

    /// Four numbers of two bits in one byte, the first lowest.
    private static func pairs(_ numbers: some Sequence<Int>) -> UInt8 {
        UInt8(numbers.reversed().reduce(0) { $0 << 2 | $1 })
    }

    /// −1, 0 or 1 times the largest magnitude, stored plus one; all zero where that has no finite inverse.
    private static func trits(_ x: [Float]) -> [Int] {
        let inverse = inverseOrZero(largest(x).magnitude)
        return x.map { inverse.isFinite ? rounded($0 * inverse) + 1 : 1 }
    }

    /// Halves away from zero.
    private static func rounded(_ x: Float) -> Int { x.rounded(.toNearestOrAwayFromZero).truncatedInteger }
}
