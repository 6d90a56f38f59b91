import QuernFormats
import QuernStore

/// Which part of a checkpoint's tensor a tensor of the GGUF is, and in which order.
enum TensorCut: Sendable {
    case whole
    /// Rows of each head go from halves to neighbours: from RoPE over (i, i + n/2) to RoPE over (2i, 2i + 1).
    case interleaved
    /// The first rows.
    case leading(Axis)
    /// Of every `of` rows, counted through all matrices, `count` rows from `from` on: a matrix for each group.
    case rows(from: Axis, count: Axis, of: Axis)
    /// The same with every matrix transposed.
    case transposedRows(from: Axis, count: Axis, of: Axis)
    /// Of [experts, 2n, …] the n entries from 0 or 1 on that lie two apart.
    case everySecond(from: Int)
    /// Every matrix of [experts, in, out] transposed; with `step` 2 only every other column, from `from` on.
    case transposed(from: Int, step: Int)

    /// The tensor that is cut out.
    struct Result {
        /// Outermost first.
        let shape: [Int]
        let extent: Extent
    }

    /// - Parameters:
    ///   - shape: of the whole tensor, outermost first; every dimension is at least 1, and its bytes are `length`.
    ///   - element: bytes of an element.
    /// - Returns: nil where the shape cannot be cut like that.
    func apply(
        shape: [Int], element: Int, origin: Extent.Origin, offset: UInt64, length: UInt64, config: ModelConfig
    ) -> Result? {
        guard let outer = shape.first, let all = Int(exactly: length) else { return nil }
        func make(_ shape: [Int], from start: Int = 0, strides: Strides? = nil) -> Result {
            let bytes = shape.reduce(element, *)
            return Result(
                shape: shape,
                extent: Extent(
                    origin: origin, offset: offset + UInt64(start), length: UInt64(bytes), strides: strides))
        }
        let rowBytes = all / outer
        switch self {
        case .whole:
            return make(shape)
        case .interleaved:
            guard outer % config.headSize == 0 else { return nil }
            return make(shape, strides: .interleavedHalves(rowBytes: rowBytes, size: config.headSize))
        case .leading(let axis):
            guard axis.size(config) <= outer else { return nil }
            return make([axis.size(config)] + shape.dropFirst())
        case .rows(let from, let count, let of), .transposedRows(let from, let count, let of):
            guard let columns = shape.last, shape.count > 1 else { return nil }
            let (from, count, of) = (from.size(config), count.size(config), of.size(config))
            let rows = shape.dropLast().reduce(1, *)
            guard from >= 0, count > 0, from <= of - count, rows % of == 0 else { return nil }
            let width = columns * element
            if case .rows = self {
                return make(
                    [rows / of, count, columns], from: from * width, strides: .first(count * width, of: of * width))
            }
            return make(
                [rows / of, columns, count], from: from * width,
                strides: .transposed(
                    rows: count, columns: columns, element: element, rowBytes: width, matrixBytes: of * width))
        case .everySecond(let from):
            guard shape.count > 1, shape[1] % 2 == 0 else { return nil }
            let unit = shape.dropFirst(2).reduce(element, *)
            return make(
                [outer, shape[1] / 2] + shape.dropFirst(2), from: from * unit, strides: .first(unit, of: 2 * unit))
        case .transposed(let from, let step):
            guard shape.count == 3, shape[2] % step == 0 else { return nil }
            return make(
                [outer, shape[2] / step, shape[1]], from: from * element,
                strides: .transposed(
                    rows: shape[1], columns: shape[2] / step, columnStep: step, element: element,
                    rowBytes: shape[2] * element, matrixBytes: rowBytes))
        }
    }
}
