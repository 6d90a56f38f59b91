/// Q2_K: 16 bytes with a 4-bit scale and, above it, a 4-bit minimum, 64 bytes of quant pairs, half-precision scales of
/// the scales and of the minima.
extension ReferenceEncoder {
    static func q2_K(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let meanSquare = sumOfSquares(x) / 256
        var quants: [Int] = []
        var scales: [Float] = [], minima: [Float] = [], sums: [Float] = []
        for start in stride(from: 0, to: 256, by: 16) {
            let part = Array(x[start..<start + 16])
            let fit: (scale: Float, minimum: Float, quants: [Int])
            if let importance {
                let w = weights(part, importance: Array(importance[start..<start + 16]), meanSquare: meanSquare)
                sums.append(w.reduce(0, +))
                fit = ReferenceSearch.affine(part, weights: w, highest: 3, lowest: -0.9, step: 0.05, steps: 36)
            } else {
                fit = ReferenceSearch.affine(
                    part, weights: part.map(\.magnitude), highest: 3, lowest: -0.5, step: 0.1, steps: 15,
                    absolute: true)
            }
            scales.append(fit.scale)
            minima.append(-fit.minimum)
            quants += fit.quants
        }

        let (scale, scaleQuants) =
            importance == nil
            ? againstLargest(scales) : ReferenceSearch.scales(scales, weights: sums, highest: 15)
        let (minimum, minimumQuants) =
            importance == nil
            ? againstLargest(minima) : ReferenceSearch.scales(minima, weights: sums, highest: 15)
        // Quants beyond four bits, which only a failed search leaves, spill into their neighbours' bits.
        let packedScales = zip(scaleQuants, minimumQuants).map { UInt8(truncatingIfNeeded: $0 | $1 << 4) }
        for j in 0..<16 {
            let d = scale.roundedToHalf * Float(packedScales[j] & 15)
            if d == 0 { continue }
            let m = minimum.roundedToHalf * Float(packedScales[j] >> 4)
            for i in 16 * j..<16 * j + 16 { quants[i] = ((x[i] + m) / d).nearestInteger(in: 0...3) }
        }

        var pairs: [UInt8] = []
        for half in [0, 128] {
            for i in half..<half + 32 {
                pairs.append(
                    UInt8(quants[i] | quants[i + 32] << 2 | quants[i + 64] << 4 | quants[i + 96] << 6))
            }
        }
        return packedScales + pairs + scale.halfBits.littleEndianBytes + minimum.halfBits.littleEndianBytes
    }

    /// Four-bit quants against the largest; all zero where none is positive.
    private static func againstLargest(_ x: [Float]) -> (scale: Float, quants: [Int]) {
        let maximum = x.reduce(0) { $1 > $0 ? $1 : $0 }
        if maximum == 0 { return (0, x.map { _ in 0 }) }
        let inverse = 15 / maximum
        return (maximum / 15, x.map { (inverse * $0).nearestInteger })
    }
}
