/// What tells an encoder how the errors of a tensor's columns are made good by other columns.
public struct Refinement: Sendable, Codable, Equatable, Hashable {
    /// Ordinals of the factor items of what the tensor's matrices read: one for each matrix, or one for all.
    public let factors: [Int]
    /// Rows of the tensor in each matrix.
    public let rowsPerMatrix: Int
    public init(factors: [Int], rowsPerMatrix: Int) {
        self.factors = factors
        self.rowsPerMatrix = rowsPerMatrix
    }

    /// The item for a row of the tensor; nil for a row beyond its matrices.
    public func factor(of row: Int) -> Int? {
        let matrix = factors.count == 1 ? 0 : row / max(rowsPerMatrix, 1)
        return factors.indices.contains(matrix) ? factors[matrix] : nil
    }

    /// The items for some rows of the tensor, each once.
    public func items(of rows: Range<Int>) -> Set<Int> {
        let step = max(rowsPerMatrix, 1)
        return Set(
            stride(from: rows.lowerBound / step * step, to: rows.upperBound, by: step).compactMap { factor(of: $0) })
    }
}
