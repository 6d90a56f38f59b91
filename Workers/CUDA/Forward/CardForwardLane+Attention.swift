import QuernCUDA
import QuernKernels
import QuernModel

extension CardForwardLane {
    /// Scores that are held at once, of all heads.
    private static let mostScores = 64 << 20
    private static let leastRows = 16

    func attend(
        _ heads: AttentionHeads, queries: Rows, keys: Rows, values: Rows, sinks: LoadedSinks?, into result: Rows,
        positions: Range<Int>
    ) throws {
        (sinks?.buffer).map(hold)
        let step = max(Self.leastRows, Self.mostScores / max(1, heads.heads * positions.upperBound))
        for first in stride(from: positions.lowerBound, to: positions.upperBound, by: step) {
            let rows = first..<min(positions.upperBound, first + step)
            try attend(heads, queries, keys, values, sinks, into: result, rows)
        }
    }

    private func attend(
        _ heads: AttentionHeads, _ queries: Rows, _ keys: Rows, _ values: Rows, _ sinks: LoadedSinks?,
        into result: Rows, _ rows: Range<Int>
    ) throws {
        let low = heads.firstSeen(by: rows.lowerBound)
        let width = rows.upperBound - low
        let all = try take(.rows(.scores), heads.heads * rows.count * width)
        /// Heads of one group at a time: they share keys and values.
        func forGroups(_ body: (_ group: Int, _ scores: Batch) throws -> Void) throws {
            for group in 0..<heads.heads / heads.group {
                let first = all + group * heads.group * rows.count * width
                try body(group, Batch(Rows(base: first, stride: width), rows.count * width))
            }
        }
        try forGroups { group, scores in
            try multiply(
                Batch(
                    queries.from(row: rows.lowerBound).from(column: group * heads.group * heads.keyLength),
                    heads.keyLength),
                Batch(keys.from(row: low).from(column: group * heads.keyLength), 0), transposed: true, into: scores,
                count: heads.group, rows: rows.count, columns: width, inner: heads.keyLength)
        }
        try softmax(
            Scores(
                values: all.cardAddress, heads: UInt64(heads.heads), rows: UInt64(rows.count), width: UInt64(width),
                first: UInt64(rows.lowerBound), low: UInt64(low), window: UInt64(heads.window ?? 0),
                sinks: sinks?.buffer.base.cardAddress ?? 0, cap: heads.softCap ?? 0))
        try forGroups { group, scores in
            try multiply(
                scores, Batch(values.from(row: low).from(column: group * heads.valueLength), 0), transposed: false,
                into: Batch(
                    result.from(row: rows.lowerBound).from(column: group * heads.group * heads.valueLength),
                    heads.valueLength),
                count: heads.group, rows: rows.count, columns: heads.valueLength, inner: width)
        }
    }

    /// As the kernels' `quern_scores` is laid out.
    private struct Scores: BitwiseCopyable {
        let values: UInt64
        let heads, rows, width, first, low, window: UInt64
        let sinks: UInt64
        let cap: Float
    }

    private func softmax(_ scores: Scores) throws {
        let count = Int(scores.heads * scores.rows)
        let maxima = try take(.maxima, count * ForwardKernel.places).cardAddress
        let sums = try take(.sums, 2 * count * ForwardKernel.places).cardAddress
        let factors = try take(.factors, count).cardAddress
        try launch(.softmaxMaxima, columns: count * ForwardKernel.places) {
            $0.append(scores)
            $0.append(maxima)
        }
        try launch(.softmaxSums, columns: count * ForwardKernel.places) {
            $0.append(scores)
            $0.append(maxima)
            $0.append(sums)
        }
        try launch(.softmaxFactors, columns: count) {
            $0.append(scores)
            $0.append(maxima)
            $0.append(sums)
            $0.append(factors)
        }
        try launch(.softmaxApply, columns: Int(scores.width), rows: count) {
            $0.append(scores)
            $0.append(factors)
        }
    }
}
