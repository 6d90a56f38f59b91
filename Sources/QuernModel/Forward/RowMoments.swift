import QuernKernels

/// Sums over rows, column by column, from the first row to the last.
public struct RowMoments: Sendable, Equatable {
    /// Rows summed.
    public let rows: Int
    /// Σx² of each column.
    public private(set) var squares: [Double]
    /// Σ|x|
    public private(set) var magnitudes: [Double]
    /// max|x|; 0 without rows.
    public private(set) var maxima: [Float]

    package init(rows: Int, squares: [Double], magnitudes: [Double], maxima: [Float]) {
        (self.rows, self.squares, self.magnitudes, self.maxima) = (rows, squares, magnitudes, maxima)
    }

    /// - Parameter values: whole rows of `columns` values, in the processor's memory.
    package init(of values: UnsafeBufferPointer<Float>, columns: Int) {
        let zeros = [Double](repeating: 0, count: columns)
        self.init(
            rows: values.count / columns, squares: zeros, magnitudes: zeros,
            maxima: [Float](repeating: 0, count: columns))
        squares.withUnsafeMutableBufferPointer { squares in
            magnitudes.withUnsafeMutableBufferPointer { magnitudes in
                maxima.withUnsafeMutableBufferPointer {
                    Kernels.addMoments(of: values, squares: squares, magnitudes: magnitudes, maxima: $0)
                }
            }
        }
    }
}
