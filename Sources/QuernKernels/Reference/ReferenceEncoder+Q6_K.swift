/// Q6_K: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 signed scales, half-precision scale of the scales.
extension ReferenceEncoder {
    static func q6_K(_ x: [Float], importance: [Float]?) -> [UInt8] {
        var quants: [Int] = []
        var scales: [Float] = []
        for start in stride(from: 0, to: 256, by: 16) {
            let part = Array(x[start..<start + 16])
            let w = importance.map { Array($0[start..<start + 16]) } ?? part.map { $0 * $0 }
            let fit = ReferenceSearch.symmetric(part, weights: w, bound: 32)
            scales.append(fit.scale)
            quants += fit.quants
        }
        let largestScale = largest(scales)
        if largestScale.magnitude < smallestMagnitude { return [UInt8](repeating: 0, count: 210) }
        let inverse = -128 / largestScale
        let scale = 1 / inverse
        let scaleQuants = scales.map { min((inverse * $0).nearestInteger, 127) }
        for j in 0..<16 {
            let d = scale.roundedToHalf * Float(scaleQuants[j])
            if d == 0 { continue }
            for i in 16 * j..<16 * j + 16 { quants[i] = (x[i] / d).nearestInteger(in: -32...31) + 32 }
        }

        var low: [UInt8] = [], high: [UInt8] = []
        for half in [0, 128] {
            for (first, second) in [(0, 64), (32, 96)] {
                for i in half..<half + 32 {
                    low.append(UInt8(quants[i + first] & 15 | (quants[i + second] & 15) << 4))
                }
            }
            for i in half..<half + 32 {
                high.append(
                    UInt8(
                        quants[i] >> 4 | (quants[i + 32] >> 4) << 2 | (quants[i + 64] >> 4) << 4
                            | (quants[i + 96] >> 4) << 6))
            }
        }
        return low + high + scaleQuants.map { UInt8(truncatingIfNeeded: $0) } + scale.halfBits.littleEndianBytes
    }
}
