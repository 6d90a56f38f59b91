/// The sixteen uneven levels of IQ4_NL and IQ4_XS.
extension ReferenceSearch {
    static let nonlinearLevels: [Float] = [
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
    ]

    /// The index of the level nearest to `value`, the upper one of two; the highest for a NaN.
    static func nonlinearIndex(_ value: Float) -> Int {
        guard let upper = nonlinearLevels.firstIndex(where: { value < $0 }) else { return 15 }
        if upper == 0 { return 0 }
        let lower = upper - 1
        return value - nonlinearLevels[lower] < nonlinearLevels[upper] - value ? lower : upper
    }

    /// A scale for x ≈ scale · level: 127 / largest is tried, then (−7 … 7 − 127) / largest, and the one that leaves
    /// the least weighted squared error is kept. Zero for a zero block.
    static func nonlinear(_ x: [Float], weights w: [Float]) -> Float {
        let largest = ReferenceEncoder.largest(x)
        if largest.magnitude < smallestMagnitude { return 0 }
        func trial(_ inverse: Float) -> (sumWLX: Float, sumWLL: Float) {
            var sumWLX: Float = 0, sumWLL: Float = 0
            for i in x.indices {
                let level = nonlinearLevels[nonlinearIndex(inverse * x[i])]
                sumWLX += w[i] * level * x[i]
                sumWLL += w[i] * level * level
            }
            return (sumWLX, sumWLL)
        }
        var (sumWLX, sumWLL) = trial(1 / (largest / 127))
        var scale = sumWLL > 0 ? sumWLX / sumWLL : 0
        var gain = scale * sumWLX
        for offset in -7...7 {
            (sumWLX, sumWLL) = trial(Float(offset - 127) / largest)
            if sumWLL > 0 && sumWLX * sumWLX > gain * sumWLL {
                scale = sumWLX / sumWLL
                gain = scale * sumWLX
            }
        }
        return scale
    }
}
