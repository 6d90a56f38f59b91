/// The types with blocks of 32 values.
extension ReferenceEncoder {
    /// Q8_0: half-precision scale, 32 signed bytes; rounds halves away from zero.
    static func q8_0(_ x: [Float]) -> [UInt8] {
        let scale = largest(x).magnitude / 127
        let inverse = inverseOrZero(scale)
        return scale.halfBits.littleEndianBytes
            + x.map { UInt8(truncatingIfNeeded: ($0 * inverse).rounded(.toNearestOrAwayFromZero).truncatedInteger) }
    }

    /// Q4_0 (bound 8) and Q5_0 (bound 16): half-precision scale, quants.
    static func symmetric(_ x: [Float], importance: [Float]?, rowMeanSquare: Float, bound: Int) -> [UInt8] {
        if let importance {
            let w = weights(x, importance: importance, meanSquare: rowMeanSquare)
            let (scale, quants) = ReferenceSearch.symmetric(x, weights: w, bound: bound)
            return scale.halfBits.littleEndianBytes + packed(quants, fifthBits: bound == 16)
        }
        let scale = largest(x) / Float(-bound)
        let inverse = inverseOrZero(scale)
        let quants = x.map { min(($0 * inverse + (Float(bound) + 0.5)).truncatedInteger, 2 * bound - 1) }
        return scale.halfBits.littleEndianBytes + packed(quants, fifthBits: bound == 16)
    }

    /// Q4_1 (highest 15) and Q5_1 (highest 31): half-precision scale and minimum, quants.
    static func affine(_ x: [Float], importance: [Float]?, rowMeanSquare: Float, highest: Int) -> [UInt8] {
        var scale: Float, minimum: Float, quants: [Int]
        if let importance {
            let w = weights(x, importance: importance, meanSquare: rowMeanSquare)
            (scale, minimum, quants) = ReferenceSearch.affine(
                x, weights: w, highest: highest, lowest: -0.9, step: 0.05, steps: 36)
        } else {
            minimum = x.dropFirst().reduce(x[0]) { $1 < $0 ? $1 : $0 }
            let maximum = x.dropFirst().reduce(x[0]) { $1 > $0 ? $1 : $0 }
            scale = (maximum - minimum) / Float(highest)
            let inverse = inverseOrZero(scale)
            quants = x.map { min((($0 - minimum) * inverse + 0.5).truncatedInteger, highest) }
        }
        return scale.halfBits.littleEndianBytes + minimum.halfBits.littleEndianBytes
            + packed(quants, fifthBits: highest == 31)
    }

    /// 32 quants: fifth bits first where there are any, then nibbles j and j + 16 in one byte.
    private static func packed(_ quants: [Int], fifthBits: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        if fifthBits {
            var bits: UInt32 = 0
            for i in 0..<32 where quants[i] & 16 != 0 { bits |= 1 << UInt32(i) }
            bytes += bits.littleEndianBytes
        }
        return bytes + (0..<16).map { UInt8(quants[$0] & 15 | (quants[$0 + 16] & 15) << 4) }
    }
}
