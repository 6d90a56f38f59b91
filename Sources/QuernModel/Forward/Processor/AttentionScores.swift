import CQuernKernels

/// Causal attention of one head.
struct AttentionScores {
    let engine: MatrixEngine
    let heads: AttentionHeads

    /// Rows of queries that are taken together: half of so many keys are computed in vain.
    private static let blockRows = 128

    /// result = softmax(mask(queries·keysᵀ))·values
    /// - Parameters:
    ///   - queries: scaled already.
    ///   - sink: one more score.
    ///   - positions: those of which the result is wanted.
    func apply(
        queries: Rows, keys: Rows, values: Rows, sink: Float?, into result: Rows, positions: Range<Int>,
        _ workspace: Workspace
    ) throws {
        for first in stride(from: positions.lowerBound, to: positions.upperBound, by: Self.blockRows) {
            let end = min(positions.upperBound, first + Self.blockRows)
            let low = heads.firstSeen(by: first)
            let width = end - low
            let scores = Rows(base: workspace.take(.rows(.scores), Self.blockRows * width), stride: width)
            try engine.multiply(
                Rows(base: queries[first], stride: queries.stride), Rows(base: keys[low], stride: keys.stride),
                transposed: true, into: scores, rows: end - first, columns: width, inner: heads.keyLength)
            for position in first..<end {
                let row = scores[position - first]
                let seen = heads.firstSeen(by: position) - low
                let count = position + 1 - low - seen
                if let softCap = heads.softCap { engine.steps.soft_cap(row + seen, count, 1, softCap) }
                softmax(row + seen, count, sink)
                row.update(repeating: 0, count: seen)
                (row + seen + count).update(repeating: 0, count: width - seen - count)
            }
            try engine.multiply(
                scores, Rows(base: values[low], stride: values.stride), transposed: false,
                into: Rows(base: result[first], stride: result.stride), rows: end - first, columns: heads.valueLength,
                inner: width)
        }
    }

    private func softmax(_ row: UnsafeMutablePointer<Float>, _ count: Int, _ sink: Float?) {
        guard var sink else { return engine.steps.softmax(row, count, nil) }
        engine.steps.softmax(row, count, &sink)
    }
}
