/// The searches that the encoders share. `quants` are as they are stored.
enum ReferenceSearch {
    /// A scale for x ≈ scale · q, q in −bound ..< bound: 19 scales around −bound / largest are tried, and the one that
    /// leaves the least weighted squared error is kept. Stored quants are q + bound; all zero for a zero block.
    static func symmetric(_ x: [Float], weights w: [Float], bound: Int) -> (scale: Float, quants: [Int]) {
        let largest = ReferenceEncoder.largest(x)
        if largest.magnitude < smallestMagnitude { return (0, x.map { _ in 0 }) }
        func trial(_ offset: Int) -> (quants: [Int], sumWXQ: Float, sumWQQ: Float) {
            let inverse = -(Float(bound) + 0.1 * Float(offset)) / largest
            var sumWXQ: Float = 0, sumWQQ: Float = 0
            var quants: [Int] = []
            for i in x.indices {
                let q = (inverse * x[i]).nearestInteger(in: -bound...bound - 1)
                quants.append(q + bound)
                sumWXQ += w[i] * x[i] * Float(q)
                sumWQQ += w[i] * Float(q) * Float(q)
            }
            return (quants, sumWXQ, sumWQQ)
        }
        var (quants, sumWXQ, sumWQQ) = trial(0)
        var scale = sumWQQ != 0 ? sumWXQ / sumWQQ : 0
        var gain = scale * sumWXQ
        for offset in -9...9 where offset != 0 {
            let candidate = trial(offset)
            (sumWXQ, sumWQQ) = (candidate.sumWXQ, candidate.sumWQQ)
            if sumWQQ > 0 && sumWXQ * sumWXQ > gain * sumWQQ {
                scale = sumWXQ / sumWQQ
                gain = scale * sumWXQ
                quants = candidate.quants
            }
        }
        return (scale, quants)
    }

    /// Like `symmetric` with weights x², by coordinate descent from the first trial, in at most five passes.
    static func descending(_ x: [Float], bound: Int) -> (scale: Float, quants: [Int]) {
        let largest = ReferenceEncoder.largest(x)
        if largest.magnitude < smallestMagnitude { return (0, x.map { _ in 0 }) }
        let inverse = Float(-bound) / largest
        var quants = x.map { (inverse * $0).nearestInteger(in: -bound...bound - 1) }
        var sumWXQ: Float = 0, sumWQQ: Float = 0
        for i in x.indices {
            let w = x[i] * x[i]
            sumWXQ += w * x[i] * Float(quants[i])
            sumWQQ += w * Float(quants[i]) * Float(quants[i])
        }
        for _ in 0..<5 {
            var changed = false
            for i in x.indices {
                let w = x[i] * x[i]
                var wxq = sumWXQ - w * x[i] * Float(quants[i])
                guard wxq > 0 else { continue }
                var wqq = sumWQQ - w * Float(quants[i]) * Float(quants[i])
                let moved = (x[i] * wqq / wxq).nearestInteger(in: -bound...bound - 1)
                guard moved != quants[i] else { continue }
                wxq += w * x[i] * Float(moved)
                wqq += w * Float(moved) * Float(moved)
                if wqq > 0 && wxq * wxq * sumWQQ > sumWXQ * sumWXQ * wqq {
                    (quants[i], sumWXQ, sumWQQ) = (moved, wxq, wqq)
                    changed = true
                }
            }
            if !changed { break }
        }
        return (sumWQQ > 0 ? sumWXQ / sumWQQ : 0, quants.map { $0 + bound })
    }

    /// A scale and a minimum, at most zero, for x ≈ scale · q + minimum, q in 0 ... highest: for each of steps + 1
    /// offsets lowest + step · i on `highest`, quants are rounded and least squares solved; the least squared (or
    /// absolute) error wins, and its minimum is where the following trials start.
    static func affine(
        _ x: [Float], weights w: [Float], highest: Int, lowest: Float, step: Float, steps: Int, absolute: Bool = false
    ) -> (scale: Float, minimum: Float, quants: [Int]) {
        var minimum = x[0], maximum = x[0], sumW = w[0], sumWX = w[0] * x[0]
        for i in 1..<x.count {
            if x[i] < minimum { minimum = x[i] }
            if x[i] > maximum { maximum = x[i] }
            sumW += w[i]
            sumWX += w[i] * x[i]
        }
        if minimum > 0 { minimum = 0 }
        if maximum == minimum { return (0, minimum, x.map { _ in 0 }) }

        func rounded(_ inverse: Float) -> [Int] {
            x.map { (inverse * ($0 - minimum)).nearestInteger(in: 0...highest) }
        }
        func weightedError(_ quants: [Int], _ scale: Float, _ minimum: Float) -> Float {
            var sum: Float = 0
            for i in x.indices {
                let difference = scale * Float(quants[i]) + minimum - x[i]
                sum += w[i] * (absolute ? difference.magnitude : difference * difference)
            }
            return sum
        }
        let firstInverse = Float(highest) / (maximum - minimum)
        var scale = 1 / firstInverse
        var quants = rounded(firstInverse)
        var leastError = weightedError(quants, scale, minimum)
        for trial in 0...steps {
            let candidate = rounded((lowest + step * Float(trial) + Float(highest)) / (maximum - minimum))
            var sumWQ: Float = 0, sumWQQ: Float = 0, sumWQX: Float = 0
            for i in x.indices {
                let q = Float(candidate[i])
                sumWQ += w[i] * q
                sumWQQ += w[i] * q * q
                sumWQX += w[i] * q * x[i]
            }
            let determinant = sumW * sumWQQ - sumWQ * sumWQ
            guard determinant > 0 else { continue }
            var candidateScale = (sumW * sumWQX - sumWX * sumWQ) / determinant
            var candidateMinimum = (sumWQQ * sumWX - sumWQ * sumWQX) / determinant
            if candidateMinimum > 0 {
                candidateMinimum = 0
                candidateScale = sumWQX / sumWQQ
            }
            let error = weightedError(candidate, candidateScale, candidateMinimum)
            if error < leastError {
                (leastError, scale, minimum, quants) = (error, candidateScale, candidateMinimum, candidate)
            }
        }
        return (scale, minimum, quants)
    }

    /// A scale for scales: x ≈ scale · q, q in 0 ... highest, weighted: nine trials for the least squared error, then
    /// coordinate descent in at most five passes. Stored quants are bytes: a negative one wraps around.
    static func scales(_ x: [Float], weights w: [Float], highest: Int) -> (scale: Float, quants: [Int]) {
        let maximum = x.reduce(0) { $0 > $1 ? $0 : $1 }
        if maximum < smallestMagnitude { return (0, x.map { _ in 0 }) }
        func squaredError(_ inverse: Float, quant: (Int) -> Int) -> Float {
            let scale = 1 / inverse
            var sum: Float = 0
            for i in x.indices {
                let difference = x[i] - scale * Float(quant((inverse * x[i]).nearestInteger))
                sum += w[i] * difference * difference
            }
            return sum
        }
        var inverse = Float(highest) / maximum
        var leastError = squaredError(inverse) { $0 & 0xff }
        for offset in -4...4 where offset != 0 {
            let candidate = (0.1 * Float(offset) + Float(highest)) / maximum
            let error = squaredError(candidate) { min($0, highest) }
            if error < leastError { (leastError, inverse) = (error, candidate) }
        }
        var sumWXQ: Float = 0, sumWQQ: Float = 0
        var quants: [Int] = []
        for i in x.indices {
            let q = min((inverse * x[i]).nearestInteger, highest)
            quants.append(q & 0xff)
            sumWXQ += w[i] * x[i] * Float(q)
            sumWQQ += w[i] * Float(q) * Float(q)
        }
        for _ in 0..<5 {
            var changed = false
            for i in x.indices {
                var wxq = sumWXQ - w[i] * x[i] * Float(quants[i])
                var wqq = sumWQQ - w[i] * Float(quants[i]) * Float(quants[i])
                guard wxq > 0 && wqq > 0 else { continue }
                let moved = min((x[i] * wqq / wxq).nearestInteger, highest)
                guard moved != quants[i] else { continue }
                wxq += w[i] * x[i] * Float(moved)
                wqq += w[i] * Float(moved) * Float(moved)
                if wxq * wxq * sumWQQ > sumWXQ * sumWXQ * wqq {
                    (quants[i], sumWXQ, sumWQQ) = (moved & 0xff, wxq, wqq)
                    changed = true
                }
            }
            if !changed { break }
        }
        return (sumWQQ > 0 ? sumWXQ / sumWQQ : 0, quants)
    }
}
