/// The rows of a chunk as products of their columns need them: with room for whole registers behind every column.
final class GramRows: Sendable {
    /// [count, stride], zero from the channels on.
    let values: FloatBuffer
    private let buffers: BufferPool
    let count: Int
    let stride: Int

    /// Columns of a panel at most: few, because half of the products of a panel with itself are there twice.
    static let panelColumns = 128
    /// Products come in multiples of so many columns.
    static let columnMultiple = 32

    /// - Parameters:
    ///   - rows: [n, channels].
    ///   - buffers: of rows that are gone.
    init(_ rows: UnsafeBufferPointer<Float>, channels: Int, buffers: BufferPool) {
        self.buffers = buffers
        count = rows.count / channels
        // An odd number of cache lines: rows below each other do not compete for the same places.
        stride = (channels + 2 * Self.columnMultiple) / Self.columnMultiple * Self.columnMultiple + 16
        // Experts have any number of rows: a buffer for each would never be used again.
        var most = 1
        while most < count { most *= 2 }
        values = buffers.take(most * stride)
        guard let from = rows.baseAddress else { return }
        for row in 0..<count {
            let target = values.base + row * stride
            target.update(from: from + row * channels, count: channels)
            (target + channels).update(repeating: 0, count: stride - channels)
        }
    }

    deinit { buffers.give(values) }
}
