/// The rows of a chunk as products of their columns need them: transposed, in panels of columns.
final class GramRows: Sendable {
    /// Columns [count, rows], once as they are and once packed.
    struct Panel: Sendable {
        let values: FloatBuffer
        let packed: PackedMatrix
    }

    /// For each piece of rows all panels; pieces are added one after the other.
    let pieces: [[Panel]]

    /// Columns of a panel at most.
    static let panelColumns = 512
    /// Rows of a piece at most: sums in single precision are no longer.
    private static let pieceRows = 512
    /// Pieces are filled up with zeros to a multiple of these, because every other length costs a primitive of its own.
    private static let rowMultiple = 64
    /// Rows that are transposed side by side, for the sake of the cache.
    private static let stripe = 16

    /// - Parameters:
    ///   - rows: [n, channels].
    ///   - panels: the columns of each panel.
    init(
        _ rows: UnsafeBufferPointer<Float>, channels: Int, panels: [Range<Int>], engine: MatrixEngine,
        _ workspace: Workspace
    ) throws {
        let count = rows.count / channels
        pieces = try stride(from: 0, to: count, by: Self.pieceRows).map { first in
            let piece = UnsafeBufferPointer(
                rebasing: rows[first * channels..<min(count, first + Self.pieceRows) * channels])
            return try panels.map { try Self.panel(piece, channels: channels, columns: $0, engine, workspace) }
        }
    }

    private static func panel(
        _ rows: UnsafeBufferPointer<Float>, channels: Int, columns: Range<Int>, _ engine: MatrixEngine,
        _ workspace: Workspace
    ) throws -> Panel {
        let count = rows.count / channels
        let length = (count + rowMultiple - 1) / rowMultiple * rowMultiple
        let values = FloatBuffer(PackedMatrix.padded(columns.count) * length)
        values.base.initialize(repeating: 0, count: PackedMatrix.padded(columns.count) * length)
        for first in stride(from: 0, to: count, by: stripe) {
            for column in columns {
                let target = values.base + (column - columns.lowerBound) * length
                for row in first..<min(count, first + stripe) { target[row] = rows[row * channels + column] }
            }
        }
        let packed = try PackedMatrix(outputs: columns.count, inputs: length, areBF16: false, engine: engine)
        for piece in packed.pieces { try packed.pack(piece, values.base + piece.lowerBound * length, workspace) }
        return Panel(values: values, packed: packed)
    }
}
