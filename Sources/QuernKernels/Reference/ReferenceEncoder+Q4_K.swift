/// Q4_K and Q5_K: half-precision scales of the scales and of the minima, 12 bytes with eight 6-bit scales and minima,
/// (Q5_K: 32 bytes of fifth bits), 128 bytes of nibbles.
extension ReferenceEncoder {
    static func affineK(_ x: [Float], importance: [Float]?, highest: Int) -> [UInt8] {
        let meanSquare = 2 * sumOfSquares(x) / 256
        var quants: [Int] = []
        var scales: [Float] = [], minima: [Float] = [], sums: [Float] = []
        for start in stride(from: 0, to: 256, by: 32) {
            let part = Array(x[start..<start + 32])
            let fit: (scale: Float, minimum: Float, quants: [Int])
            if let importance {
                let w = weights(part, importance: Array(importance[start..<start + 32]), meanSquare: meanSquare)
                sums.append(w.reduce(0, +))
                fit = ReferenceSearch.affine(part, weights: w, highest: highest, lowest: -0.9, step: 0.05, steps: 36)
            } else {
                let root = (sumOfSquares(part) / 32).squareRoot()
                let w = part.map { root + $0.magnitude }
                fit =
                    highest == 15
                    ? ReferenceSearch.affine(part, weights: w, highest: 15, lowest: -1, step: 0.1, steps: 20)
                    : ReferenceSearch.affine(part, weights: w, highest: 31, lowest: -0.5, step: 0.1, steps: 15)
            }
            scales.append(fit.scale)
            minima.append(-fit.minimum)
            quants += fit.quants
        }

        var (scale, scaleQuants) =
            importance == nil
            ? againstLargest(scales) : ReferenceSearch.scales(scales, weights: sums, highest: 63)
        var (minimum, minimumQuants) =
            importance == nil
            ? againstLargest(minima) : ReferenceSearch.scales(minima, weights: sums, highest: 63)
        if highest == 31 {
            scaleQuants = scaleQuants.map { min($0, 63) }
            minimumQuants = minimumQuants.map { min($0, 63) }
        }
        let packedScales = packed(scaleQuants, minimumQuants)
        let header = scale.halfBits.littleEndianBytes + minimum.halfBits.littleEndianBytes + packedScales
        (scale, minimum) = (scale.roundedToHalf, minimum.roundedToHalf)

        for j in 0..<8 {
            let (scaleQuant, minimumQuant) = unpacked(packedScales, j)
            let d = scale * Float(scaleQuant)
            if d == 0 { continue }
            let m = minimum * Float(minimumQuant)
            for i in 32 * j..<32 * j + 32 { quants[i] = ((x[i] + m) / d).nearestInteger(in: 0...highest) }
        }

        var fifthBits = [UInt8](repeating: 0, count: highest == 31 ? 32 : 0)
        for i in fifthBits.indices {
            for j in 0..<8 where quants[32 * j + i] > 15 { fifthBits[i] |= 1 << UInt8(j) }
        }
        var nibbles: [UInt8] = []
        for start in stride(from: 0, to: 256, by: 64) {
            for i in start..<start + 32 { nibbles.append(UInt8(quants[i] & 15 | (quants[i + 32] & 15) << 4)) }
        }
        return header + fifthBits + nibbles
    }

    /// Six-bit quants of positive numbers against their largest.
    private static func againstLargest(_ x: [Float]) -> (scale: Float, quants: [Int]) {
        let maximum = x.reduce(0) { $1 > $0 ? $1 : $0 }
        let inverse = maximum > 0 ? 63 / maximum : 0
        return (maximum / 63, x.map { min((inverse * $0).nearestInteger & 0xff, 63) })
    }

    /// Quants above 63, which only a failed search leaves in Q4_K, spill into their neighbours' upper bits.
    private static func packed(_ scales: [Int], _ minima: [Int]) -> [UInt8] {
        var bytes = [Int](repeating: 0, count: 12)
        for j in 0..<4 { (bytes[j], bytes[j + 4]) = (scales[j], minima[j]) }
        for j in 4..<8 {
            bytes[j + 4] = scales[j] & 15 | (minima[j] & 15) << 4
            bytes[j - 4] |= (scales[j] >> 4) << 6
            bytes[j] |= (minima[j] >> 4) << 6
        }
        return bytes.map { UInt8(truncatingIfNeeded: $0) }
    }

    private static func unpacked(_ bytes: [UInt8], _ j: Int) -> (scale: UInt8, minimum: UInt8) {
        if j < 4 { return (bytes[j] & 63, bytes[j + 4] & 63) }
        return (bytes[j + 4] & 15 | (bytes[j - 4] >> 6) << 4, bytes[j + 4] >> 4 | (bytes[j] >> 6) << 4)
    }
}
