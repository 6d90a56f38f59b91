/// IQ1_S and IQ1_M: groups of eight values on three levels, a point of the code book each.
extension ReferenceEncoder {
    /// IQ1_S: half-precision scale, 32 low bytes of indices; for each 32 values two bytes with the upper three bits of
    /// four indices, a 3-bit scale and the shift.
    static func iq1_s(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let w = ternaryWeights(x, importance: importance)
        let parts = stride(from: 0, to: 256, by: 32).map { start in
            TernaryPart(Array(x[start..<start + 32]), weights: Array(w[start..<start + 32]), smallest: 1e-12)
        }
        let largestScale = parts.reduce(0) { max($0, $1.scale) }
        let scale = largestScale / 15
        var low: [UInt8] = [], upper: [UInt8] = []
        for part in parts {
            low += part.indices.map { UInt8($0 & 255) }
            var bits = part.indices.enumerated().reduce(0) { $0 | ($1.element >> 8) << (3 * $1.offset) }
            if largestScale != 0 {
                bits |= part.scaleQuant(inverse: 1 / scale) << 12 | (part.negative[0] ? 1 : 0) << 15
            }
            upper += UInt16(bits).littleEndianBytes
        }
        return (scale * 1.125).halfBits.littleEndianBytes + low + upper
    }

    /// IQ1_M: 32 low bytes of indices; 16 bytes with the upper three bits of two indices, both with their shift; four
    /// words with four 3-bit scales each and, on top, four bits of the half-precision scale.
    static func iq1_m(_ x: [Float], importance: [Float]?) -> [UInt8] {
        let w = ternaryWeights(x, importance: importance)
        let parts = stride(from: 0, to: 256, by: 16).map { start in
            TernaryPart(Array(x[start..<start + 16]), weights: Array(w[start..<start + 16]), smallest: 1e-7)
        }
        let largestScale = parts.reduce(0) { max($0, $1.scale) }
        let low = parts.flatMap { part in part.indices.map { UInt8($0 & 255) } }
        var upper = parts.map { part in UInt8(part.indices[0] >> 8 | (part.indices[1] >> 8) << 4) }
        var words = [UInt16](repeating: 0, count: 4)
        if largestScale != 0 {
            var scale = largestScale / 15
            let quants = parts.map { $0.scaleQuant(inverse: 1 / scale) }
            // The best scale for what is now settled.
            let q = zip(parts, quants).flatMap { part, quant in part.values.map { $0 * Float(2 * quant + 1) } }
            let (sumWXQ, sumWQQ) = ternarySums(x, weights: w, q)
            if sumWQQ > 0 { scale = sumWXQ / sumWQQ }
            let half = (scale * 1.1125).halfBits
            for j in 0..<16 {
                words[j / 4] |= UInt16(quants[j] << (3 * (j % 4)))
                upper[j] |= (parts[j].negative[0] ? 0x08 : 0) | (parts[j].negative[1] ? 0x80 : 0)
            }
            for j in 0..<4 { words[j] |= (half >> UInt16(4 * j) & 15) << 12 }
        }
        return low + upper + words.flatMap(\.littleEndianBytes)
    }

    private static func ternaryWeights(_ x: [Float], importance: [Float]?) -> [Float] {
        guard let importance else { return x.map { $0 * $0 } }
        return weights(x, importance: importance, meanSquare: 2 * sumOfSquares(x) / 256)
    }

    /// Σwqx and Σwq².
    fileprivate static func ternarySums(_ x: [Float], weights w: [Float], _ q: [Float]) -> (wxq: Float, wqq: Float) {
        var wxq: Float = 0, wqq: Float = 0
        for i in x.indices {
            wxq += w[i] * q[i] * x[i]
            wqq += w[i] * q[i] * q[i]
        }
        return (wxq, wqq)
    }
}

/// Values that share a scale.
private struct TernaryPart {
    /// At least 0.
    let scale: Float
    /// Of each group's point in the code book.
    let indices: [Int]
    /// The values in units of the scale.
    let values: [Float]
    /// Whether the shift is negative, in the first half of the values and in the second.
    let negative: [Bool]

    /// - Parameters:
    ///   - x: 32 values with one shift, or 16 with a shift for each half.
    ///   - smallest: values whose largest magnitude is smaller count as zero.
    init(_ x: [Float], weights w: [Float], smallest: Float) {
        let split = x.count == 32 ? ThreeWaySplit.search : ThreeWaySplit.searchHalves
        var fit = ThreeWaySplit.Fit(
            scale: 0, levels: [Int](repeating: 0, count: x.count), negative: [false, false])
        if !(ReferenceEncoder.largest(x).magnitude < smallest), let found = split(x, w) { fit = found }

        var indices: [Int] = [], values: [Float] = []
        var allInBook = true
        for start in stride(from: 0, to: x.count, by: 8) {
            let levels = Array(fit.levels[start..<start + 8])
            let q = ThreeWaySplit.values(negative: fit.negative[start < x.count / 2 ? 0 : 1])
            var index = ReferenceCodebook.iq1.index(of: levels)
            if index == nil {
                allInBook = false
                index = TernaryPart.nearest(
                    to: levels, x: x[start..<start + 8], weights: w[start..<start + 8], values: q.map { fit.scale * $0 }
                )
            }
            indices.append(index ?? 0)
            values += ReferenceCodebook.iq1.points[index ?? 0].map { q[$0] }
        }
        if !allInBook {
            let (wxq, wqq) = ReferenceEncoder.ternarySums(x, weights: w, values)
            if wxq > 0, wqq > 0 { fit.scale = wxq / wqq }
        }
        // Where sums overflow the reference stops; here such a scale counts as zero.
        self.scale = fit.scale > 0 ? fit.scale : 0
        self.indices = indices
        self.values = values
        self.negative = fit.negative
    }

    /// 0 ... 7, for the scale of the scales 1 / `inverse`: quant q stands for 2q + 1.
    func scaleQuant(inverse: Float) -> Int { (0.5 * (inverse * scale - 1)).nearestInteger(in: 0...7) }

    /// The neighbour of a point outside the book with the least Σw(q − x)², the first where several have it or none has
    /// a finite one.
    private static func nearest(
        to levels: [Int], x: ArraySlice<Float>, weights w: ArraySlice<Float>, values q: [Float]
    ) -> Int {
        let candidates = ReferenceCodebook.iq1.neighbours(of: levels)
        var best = candidates[0], leastError = Float.greatestFiniteMagnitude
        for candidate in candidates {
            var error: Float = 0
            for (i, level) in ReferenceCodebook.iq1.points[candidate].enumerated() {
                let difference = q[level] - x[x.startIndex + i]
                error += w[w.startIndex + i] * difference * difference
            }
            if error < leastError { (leastError, best) = (error, candidate) }
        }
        return best
    }
}
