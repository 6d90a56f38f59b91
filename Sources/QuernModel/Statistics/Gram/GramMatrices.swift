import QuernPlanning

/// XᵀX of what a linear layer reads, X being its rows.
public struct GramMatrices: Sendable, Equatable {
    public let layout: GramLayout
    /// Matrix after matrix `layout.values` values: of each block of the layout the upper triangle, row by row.
    public internal(set) var values: [Double]

    /// - Parameter values: as many as `matrices` have by the layout.
    public init(layout: GramLayout, values: [Double]) {
        self.layout = layout
        self.values = values
    }

    /// The upper triangle of one block, row by row.
    public func triangle(matrix: Int = 0, block: Int) -> ArraySlice<Double> {
        let first = matrix * layout.values + block * GramLayout.triangle(layout.blockColumns)
        return values[first..<first + GramLayout.triangle(layout.blocks[block].count)]
    }

    /// One block in full: symmetric, row by row.
    public func square(matrix: Int = 0, block: Int) -> [Double] {
        let columns = layout.blocks[block].count
        let values = triangle(matrix: matrix, block: block)
        var place = values.startIndex
        var square = [Double](repeating: 0, count: columns * columns)
        for row in 0..<columns {
            for column in row..<columns {
                square[row * columns + column] = values[place]
                square[column * columns + row] = values[place]
                place += 1
            }
        }
        return square
    }

    /// Σx² of each channel, matrix after matrix.
    public var diagonal: [Double] {
        var diagonal: [Double] = []
        var place = 0
        while place < values.count {
            for block in layout.blocks {
                for row in block.indices {
                    diagonal.append(values[place])
                    place += block.upperBound - row
                }
            }
        }
        return diagonal
    }

    /// Whether all values can be written, in single precision.
    var isFinite: Bool { values.allSatisfy { Float($0).isFinite } }

    /// - Parameter other: of the same layout and as many matrices.
    mutating func add(_ other: GramMatrices) {
        other.values.withUnsafeBufferPointer { other in
            values.withUnsafeMutableBufferPointer { values in
                for index in 0..<min(values.count, other.count) { values[index] += other[index] }
            }
        }
    }
}
