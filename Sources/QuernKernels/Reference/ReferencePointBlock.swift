/// A sub-block of an IQ2 or IQ3 type: values without their signs, in groups of eight or four that are points of a code
/// book: x ≈ scale · (2l + 1) with levels l.
struct ReferencePointBlock {
    let book: ReferenceCodebook
    /// At least zero but for values that changed their sign: see `init`.
    let x: [Float]
    let weights: [Float]
    /// Of each eight values, the bits of the negative ones, the first lowest.
    private(set) var signs: [Int]
    /// Of each group, the index of its point.
    private(set) var points: [Int]
    /// Of each group, whether rounding alone led to no point of the book.
    private var moved: [Bool]
    var scale: Float

    private let roots: [Float]

    /// - Parameters:
    ///   - evenSigns: seven signs are stored, so the number of negative ones among eight must be even: the value that
    ///     weighs least changes its sign where it is not.
    init(_ values: [Float], weights: [Float], evenSigns: Bool, book: ReferenceCodebook) {
        var x: [Float] = [], signs: [Int] = []
        for start in stride(from: 0, to: values.count, by: 8) {
            let group = start..<start + 8
            x += group.map { values[$0] < 0 ? -values[$0] : values[$0] }
            var negative = 0
            for i in group where values[i] < 0 { negative |= 1 << (i - start) }
            if evenSigns && negative.nonzeroBitCount % 2 == 1 {
                func cost(_ i: Int) -> Float { weights[i] * values[i] * values[i] }
                let lightest = group.reduce(start) { cost($1) < cost($0) ? $1 : $0 }
                x[lightest] = -x[lightest]
                negative ^= 1 << (lightest - start)
            }
            signs.append(negative)
        }
        self.book = book
        self.x = x
        self.weights = weights
        self.signs = signs
        points = [Int](repeating: 0, count: values.count / book.dimension)
        moved = points.map { _ in false }
        scale = 0
        roots = weights.map { $0.squareRoot() }
    }

    /// The largest value, not magnitude.
    var largest: Float { x.dropFirst().reduce(x[0]) { $0 > $1 ? $0 : $1 } }

    /// Whether rounding alone led to no point for some group, in the best trial.
    var hasMoved: Bool { moved.contains(true) }

    /// Tries 2 · `reach` + 1 scales and keeps the one with the largest (Σwxq)²/Σwqq.
    /// - Parameters:
    ///   - highest: what the scales let `center`, give or take `step` · `reach`, stand for.
    /// - Returns: whether any was better than none.
    @discardableResult
    mutating func search(highest: Float, center: Float, step: Float, reach: Int) -> Bool {
        var gain: Float = 0
        var found = false
        for offset in -reach...reach {
            let inverse = (center + step * Float(offset)) / highest
            let candidates = points.indices.map { rounded(group: $0, inverse: inverse, scale: 1 / inverse) }
            let (sumWXQ, sumWQQ) = sums(candidates.map(\.point))
            if sumWQQ > 0 && sumWXQ * sumWXQ > gain * sumWQQ {
                scale = sumWXQ / sumWQQ
                gain = scale * sumWXQ
                points = candidates.map(\.point)
                moved = candidates.map(\.moved)
                found = true
            }
        }
        return found
    }

    /// Rounds groups again against the scale that was found, and fits the scale to the result.
    /// - Parameter all: whether to round all groups; otherwise those for which rounding alone led to no point.
    mutating func refit(all: Bool) {
        guard scale > 0, all || moved.contains(true) else { return }
        for group in points.indices where all || moved[group] {
            points[group] = rounded(group: group, inverse: 1 / scale, scale: scale).point
        }
        let (sumWXQ, sumWQQ) = sums(points)
        if sumWQQ > 0 { scale = sumWXQ / sumWQQ }
    }

    /// Scales are stored without a sign: where the scale is negative, all signs change.
    mutating func makeScalePositive() {
        guard scale < 0 else { return }
        scale = -scale
        signs = signs.map { ~$0 & 255 }
    }

    /// Makes a zero sub-block of it: the first point, no signs.
    mutating func clear() {
        points = points.map { _ in 0 }
        signs = signs.map { _ in 0 }
        scale = 0
    }

    private func rounded(group: Int, inverse: Float, scale: Float) -> (point: Int, moved: Bool) {
        let part = book.dimension * group..<book.dimension * (group + 1)
        let levels = x[part].map { (0.5 * (inverse * $0 - 1)).nearestInteger(in: 0...book.highestLevel) }
        let point = book.index(of: levels, x: x[part], weights: roots[part], scale: scale)
        return (point, book.index(of: levels) == nil)
    }

    private func sums(_ points: [Int]) -> (wxq: Float, wqq: Float) {
        var wxq: Float = 0, wqq: Float = 0
        for i in x.indices {
            let q = Float(2 * book.points[points[i / book.dimension]][i % book.dimension] + 1)
            wxq += weights[i] * x[i] * q
            wqq += weights[i] * q * q
        }
        return (wxq, wqq)
    }
}
