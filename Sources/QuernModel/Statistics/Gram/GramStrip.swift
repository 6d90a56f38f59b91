/// Consecutive rows of a block of XᵀX, from the diagonal on; used by one thread at a time.
final class GramStrip: @unchecked Sendable {
    /// Panels of columns from the strip's own to the end of the block: their places among all panels, and their columns
    /// counted from the strip's first.
    private let panels: [(index: Int, columns: Range<Int>)]
    /// Of the strip's own panel.
    private let rows: Int
    /// Columns of the first row; each further one has one fewer.
    private let width: Int
    /// Row after row.
    private(set) var values: [Double]

    /// - Parameters:
    ///   - own: place of the panel that has the strip's rows.
    ///   - all: columns of all panels.
    ///   - end: where the block ends.
    init(own: Int, all: [Range<Int>], end: Int) {
        let first = all[own].lowerBound
        rows = all[own].count
        width = end - first
        panels = all.indices[own...].filter { all[$0].upperBound <= end }
            .map { ($0, all[$0].lowerBound - first..<all[$0].upperBound - first) }
        values = Array(repeating: 0, count: rows * width - rows * (rows - 1) / 2)
    }

    /// Adds the products of a chunk's columns.
    func add(_ chunk: GramRows, _ workspace: Workspace) throws {
        for piece in chunk.pieces {
            for (index, columns) in panels {
                let tile = workspace.take(.output, PackedMatrix.padded(rows) * columns.count)
                try piece[index].packed.multiply(piece[panels[0].index].values.base, rows: rows, into: tile, workspace)
                add(tile, columns)
            }
        }
    }

    /// - Parameter tile: [rows, columns].
    private func add(_ tile: UnsafePointer<Float>, _ columns: Range<Int>) {
        values.withUnsafeMutableBufferPointer { values in
            guard var row = values.baseAddress else { return }
            for index in 0..<rows {
                // What is left of the diagonal is there already, by symmetry.
                let first = max(index, columns.lowerBound)
                let target = row + (first - index)
                let source = tile + index * columns.count + (first - columns.lowerBound)
                for place in 0..<columns.upperBound - first { target[place] += Double(source[place]) }
                row += width - index
            }
        }
    }
}
