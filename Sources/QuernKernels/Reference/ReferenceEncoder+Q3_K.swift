/// Q3_K: 32 bytes of third bits, 64 bytes of low bit pairs, 12 bytes with sixteen 6-bit scales, half-precision scale of
/// the scales.
extension ReferenceEncoder {
    static func q3_K(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let meanSquare = 2 * sumOfSquares(x) / 256
        var quants: [Int] = []
        var scales: [Float] = [], sums: [Float] = []
        for start in stride(from: 0, to: 256, by: 16) {
            let part = Array(x[start..<start + 16])
            let fit: (scale: Float, quants: [Int])
            if let importance {
                let w = weights(part, importance: Array(importance[start..<start + 16]), meanSquare: meanSquare)
                sums.append(w.reduce(0, +))
                fit = ReferenceSearch.symmetric(part, weights: w, bound: 4)
            } else {
                fit = ReferenceSearch.descending(part, bound: 4)
            }
            scales.append(fit.scale)
            quants += fit.quants
        }

        let (scale, scaleQuants) =
            importance == nil
            ? againstLargest(scales) : ReferenceSearch.symmetric(scales, weights: sums, bound: 32)
        for j in 0..<16 {
            let d = scale.roundedToHalf * Float(scaleQuants[j] - 32)
            if d == 0 { continue }
            for i in 16 * j..<16 * j + 16 { quants[i] = (x[i] / d).nearestInteger(in: -4...3) + 4 }
        }

        var thirdBits = [UInt8](repeating: 0, count: 32), pairs = [UInt8](repeating: 0, count: 64)
        for i in 0..<256 {
            if quants[i] > 3 { thirdBits[i % 32] |= 1 << UInt8(i / 32) }
            pairs[i / 128 * 32 + i % 32] |= UInt8(quants[i] & 3) << UInt8(i % 128 / 32 * 2)
        }
        var packedScales = [UInt8](repeating: 0, count: 12)
        for j in 0..<16 {
            packedScales[j % 8] |= UInt8(scaleQuants[j] & 15) << UInt8(j / 8 * 4)
            packedScales[8 + j % 4] |= UInt8(scaleQuants[j] >> 4) << UInt8(j / 4 * 2)
        }
        return thirdBits + pairs + packedScales + scale.halfBits.littleEndianBytes
    }

    /// Six-bit quants against −32 / their largest; a quant's low byte counts, with its sign. All zero where all scales
    /// are.
    private static func againstLargest(_ x: [Float]) -> (scale: Float, quants: [Int]) {
        let largestScale = largest(x)
        if largestScale == 0 { return (0, x.map { _ in 0 }) }
        let inverse = -32 / largestScale
        let quants = x.map { scale in
            min(max(Int(Int8(truncatingIfNeeded: (inverse * scale).nearestInteger)), -32), 31) + 32
        }
        return (1 / inverse, quants)
    }
}
