/// The search of IQ1: which values take which of three levels, by trying all ways to cut the sorted values in three.
///
/// Level l stands for scale · (l − 1 + shift). The shift is +1/8 or −1/8, for all values or for each half of them.
enum ThreeWaySplit {
    /// How values are cut, and the scale that fits best.
    struct Fit {
        /// At least 0, where sums did not overflow.
        var scale: Float
        /// 0, 1 or 2 for each value.
        var levels: [Int]
        /// Whether the shift is negative, in the first half of the values and in the second.
        var negative: [Bool]
    }

    /// What levels 0, 1 and 2 stand for, in units of the scale.
    static func values(negative: Bool) -> [Float] {
        negative ? [-1.125, -0.125, 0.875] : [-0.875, 0.125, 1.125]
    }

    /// Tries all splits with the same shift for all values.
    /// - Returns: nil where no split has a score.
    static func search(_ x: [Float], weights w: [Float]) -> Fit? {
        let order = ascending(x), count = x.count
        var wx: [Float] = [0], ww: [Float] = [0]
        for i in order {
            wx.append(wx[wx.count - 1] + w[i] * x[i])
            ww.append(ww[ww.count - 1] + w[i])
        }
        var best = Best()
        for first in 0...count {
            for second in first...count {
                for negative in [false, true] {
                    let q = values(negative: negative)
                    let below = wx[first] * q[0], middle = (wx[second] - wx[first]) * q[1]
                    let squaresBelow = ww[first] * q[0] * q[0]
                    let squaresInTheMiddle = (ww[second] - ww[first]) * q[1] * q[1]
                    best.offer(
                        sumWXQ: below + middle + (wx[count] - wx[second]) * q[2],
                        sumWQQ: squaresBelow + squaresInTheMiddle + (ww[count] - ww[second]) * q[2] * q[2],
                        first: first, second: second, negative: [negative, negative])
                }
            }
        }
        return best.fit(order: order)
    }

    /// Tries all splits with a shift for each half of the values.
    ///
    /// A half's sums are those with all its values on level 2, less what its values below the cuts lose by being one
    /// level or two lower: the order of the arithmetic decides bytes.
    /// - Returns: nil where no split has a score.
    static func searchHalves(_ x: [Float], weights w: [Float]) -> Fit? {
        let order = ascending(x), count = x.count
        // Prefix sums over all values, in which those of the other half count as zero.
        var wx: [[Float]] = [[0], [0]], ww: [[Float]] = [[0], [0]]
        for i in order {
            let own = i < count / 2 ? 0 : 1
            for half in 0..<2 {
                wx[half].append(wx[half][wx[half].count - 1] + (half == own ? w[i] * x[i] : 0))
                ww[half].append(ww[half][ww[half].count - 1] + (half == own ? w[i] : 0))
            }
        }
        func sums(_ half: Int, _ first: Int, _ second: Int, negative: Bool) -> (wxq: Float, wqq: Float) {
            let q = values(negative: negative)
            let lowest = q[0] * q[0] - q[1] * q[1], middle = q[1] * q[1] - q[2] * q[2]
            let all = ww[half][count] * q[2] * q[2]
            return (
                wx[half][count] * q[2] - (wx[half][first] + wx[half][second]),
                all + ww[half][first] * lowest + ww[half][second] * middle
            )
        }
        var best = Best()
        for first in 0...count {
            for second in first...count {
                for negative in [[false, false], [false, true], [true, false], [true, true]] {
                    let a = sums(0, first, second, negative: negative[0])
                    let b = sums(1, first, second, negative: negative[1])
                    best.offer(
                        sumWXQ: a.wxq + b.wxq, sumWQQ: a.wqq + b.wqq, first: first, second: second, negative: negative)
                }
            }
        }
        return best.fit(order: order)
    }

    /// The indices of values in ascending order, equal ones in their order.
    private static func ascending(_ x: [Float]) -> [Int] {
        x.indices.sorted { x[$0] < x[$1] || (x[$0] == x[$1] && $0 < $1) }
    }

    private struct Best {
        private var score = -Float.greatestFiniteMagnitude
        private var scale: Float = 0
        private var split: (first: Int, second: Int, negative: [Bool])?

        mutating func offer(sumWXQ: Float, sumWQQ: Float, first: Int, second: Int, negative: [Bool]) {
            if sumWQQ > 0, sumWXQ * sumWXQ > score * sumWQQ {
                scale = sumWXQ / sumWQQ
                score = scale * sumWXQ
                split = (first, second, negative)
            }
        }

        func fit(order: [Int]) -> Fit? {
            guard let split else { return nil }
            var levels = [Int](repeating: 0, count: order.count)
            for (rank, i) in order.enumerated() { levels[i] = rank < split.first ? 0 : rank < split.second ? 1 : 2 }
            // A negative scale turns the order around.
            if scale < 0 {
                return Fit(scale: -scale, levels: levels.map { 2 - $0 }, negative: split.negative.map { !$0 })
            }
            return Fit(scale: scale, levels: levels, negative: split.negative)
        }
    }
}
