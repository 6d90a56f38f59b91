/// How XᵀX of an input is kept: in square blocks along the diagonal, of each the upper triangle row by row.
public struct GramLayout: Sendable, Hashable {
    /// Width of the input, at least 1.
    public let channels: Int
    /// Columns of every block but the last, which may have fewer; from 1 to `channels`.
    public let blockColumns: Int

    /// More columns a block never has: its values can be counted whatever a file says.
    public static let maximumColumns = 1 << 20
    /// Encoders go through columns in groups: blocks are best made of whole groups of the largest kind that fits.
    static let groupColumns = [256, 128]

    /// As few blocks as possible, of equal width as far as whole groups of columns allow it.
    /// - Parameter widest: columns that a block may have.
    public init(channels: Int, widest: Int) {
        let widest = min(max(widest, 1), channels, Self.maximumColumns)
        let even = Self.divideUp(channels, Self.divideUp(channels, widest))
        let grouped = Self.groupColumns.lazy.map { Self.divideUp(even, $0) * $0 }.first { $0 <= widest }
        self.channels = channels
        blockColumns = grouped ?? even
    }

    /// - Returns: nil where `blockColumns` is out of range.
    public init?(channels: Int, blockColumns: Int) {
        guard blockColumns >= 1, blockColumns <= min(channels, Self.maximumColumns) else { return nil }
        self.channels = channels
        self.blockColumns = blockColumns
    }

    /// Columns of each block.
    public var blocks: [Range<Int>] {
        stride(from: 0, to: channels, by: blockColumns).map { $0..<min(channels, $0 + blockColumns) }
    }

    /// Whether it is one block.
    public var isWhole: Bool { blockColumns == channels }

    /// Values that are kept of one matrix.
    public var values: Int {
        channels / blockColumns * Self.triangle(blockColumns) + Self.triangle(channels % blockColumns)
    }

    /// Values of the upper triangle of a square.
    public static func triangle(_ columns: Int) -> Int { columns * (columns + 1) / 2 }

    private static func divideUp(_ number: Int, _ by: Int) -> Int { (number - 1) / by + 1 }
}
