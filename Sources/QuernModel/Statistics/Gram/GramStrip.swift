import CQuernKernels
import QuernKernels

/// Consecutive rows of a block of XᵀX, from the diagonal on; used by one thread at a time.
final class GramStrip: @unchecked Sendable {
    /// Panels of columns from the strip's own to the end of the block, counted from the strip's first.
    private let panels: [Range<Int>]
    /// The strip's first column.
    private let first: Int
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
        panels = all[own...].filter { $0.upperBound <= end }.map { $0.lowerBound - first..<$0.upperBound - first }
        self.first = first
        values = Array(repeating: 0, count: rows * width - rows * (rows - 1) / 2)
    }

    /// Adds the products of a chunk's columns.
    func add(_ chunk: GramRows, _ workspace: Workspace) {
        for piece in stride(from: 0, to: chunk.count, by: Self.pieceRows) {
            let terms = min(Self.pieceRows, chunk.count - piece)
            let values = chunk.values.base + piece * chunk.stride + first
            for columns in panels {
                let multiple = GramRows.columnMultiple
                let width = (columns.count + multiple - 1) / multiple * multiple
                let tile = workspace.take(.products, rows * width)
                tile.update(repeating: 0, count: rows * width)
                let done = quern_add_products(
                    InstructionSet.best.rawValue, values, chunk.stride, values + columns.lowerBound, chunk.stride,
                    terms, rows, width, tile, width)
                precondition(done, "no kernels for \(InstructionSet.best)")
                add(tile, columns, stride: width)
            }
        }
    }

    /// Rows whose products are added up in single precision.
    private static let pieceRows = 512

    /// - Parameter tile: [rows, stride], of which the first columns count.
    private func add(_ tile: UnsafePointer<Float>, _ columns: Range<Int>, stride: Int) {
        values.withUnsafeMutableBufferPointer { values in
            guard var row = values.baseAddress else { return }
            for index in 0..<rows {
                // What is left of the diagonal is there already, by symmetry.
                let first = max(index, columns.lowerBound)
                let target = row + (first - index)
                let source = tile + index * stride + (first - columns.lowerBound)
                for place in 0..<columns.upperBound - first { target[place] += Double(source[place]) }
                row += width - index
            }
        }
    }
}
