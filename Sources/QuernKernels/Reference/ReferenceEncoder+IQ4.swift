/// The types with four-bit indices of uneven levels; value j and value j + 16 of 32 share a byte.
extension ReferenceEncoder {
    /// IQ4_NL: half-precision scale, 16 bytes of nibbles.
    static func iq4_nl(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let scale = ReferenceSearch.nonlinear(x, weights: nonlinearWeights(x, importance: importance, block: x))
        return scale.halfBits.littleEndianBytes + nonlinearNibbles(x, inverse: inverseOrZero(scale))
    }

    /// IQ4_XS: half-precision scale of the scales, 2 bytes with the upper two and 4 bytes with the lower four bits of
    /// eight scales, 128 bytes of nibbles.
    static func iq4_xs(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let parts = stride(from: 0, to: 256, by: 32).map { Array(x[$0..<$0 + 32]) }
        let scales = parts.indices.map { j in
            let importance = importance.map { Array($0[32 * j..<32 * j + 32]) }
            return ReferenceSearch.nonlinear(
                parts[j], weights: nonlinearWeights(parts[j], importance: importance, block: x))
        }

        // Quants and values are rounded against the scale before its rounding to half precision.
        let scale = -largest(scales) / 32
        var low: UInt32 = 0, high: UInt16 = 0
        var nibbles: [UInt8] = []
        for j in 0..<8 {
            let quant = (inverseOrZero(scale) * scales[j]).nearestInteger(in: -32...31)
            let stored = quant + 32
            low |= UInt32(stored & 15) << UInt32(4 * j)
            high |= UInt16(stored >> 4) << UInt16(2 * j)
            nibbles += nonlinearNibbles(parts[j], inverse: inverseOrZero(scale * Float(quant)))
        }
        return scale.halfBits.littleEndianBytes + high.littleEndianBytes + low.littleEndianBytes + nibbles
    }

    /// x², or importance · √(σ² + x²) with σ² twice the mean square of the block.
    private static func nonlinearWeights(_ x: [Float], importance: [Float]?, block: [Float]) -> [Float] {
        guard let importance else { return x.map { $0 * $0 } }
        return weights(x, importance: importance, meanSquare: sumOfSquares(block) * (2 / Float(block.count)))
    }

    private static func nonlinearNibbles(_ x: [Float], inverse: Float) -> [UInt8] {
        let indices = x.map { ReferenceSearch.nonlinearIndex(inverse * $0) }
        return (0..<16).map { UInt8(indices[$0] | indices[$0 + 16] << 4) }
    }
}
