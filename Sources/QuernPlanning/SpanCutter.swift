import QuernFormats
import QuernJobs
import QuernStore

/// Rows of a tensor that are read, encoded and stored together.
struct RowRange: Sendable, Equatable {
    let first: Int
    let count: Int
}

/// Cuts tensors into spans: a pure function of the source, so that the same spans, and with them the same parts and
/// manifests, come out whatever the targets and the machines are.
struct SpanCutter: Sendable {
    /// Source bytes that a span, and an item of small ones, should have: a two-thousandth of the source within
    /// [16 MiB, 64 MiB].
    let targetBytes: Int

    init(tensors: [SourceTensor]) {
        let total = tensors.reduce(0) { $0 + $1.extents.reduce(0) { $0 + Int(clamping: $1.length) } }
        targetBytes = min(max(total / 2000, 16 << 20), maximumBlobBytes)
    }

    /// Ranges that cover every row once, in order. Each is no larger than the target, and in F32, the widest of all
    /// types, no larger than a blob.
    /// - Parameter multiple: rows that must stay together; all ranges but the last are multiples of it.
    /// - Throws: `QuernError` `.unsupported` where not even so many rows fit a blob, and `.invalidInput` where columns
    ///   are no whole number of blocks.
    func ranges(of tensor: SourceTensor, multiple: Int = 1) throws(QuernError) -> [RowRange] {
        let (columns, rows) = (tensor.columns, tensor.rows)
        guard columns > 0, rows > 0, let rowBytes = tensor.type.bytes(elements: columns) else {
            throw QuernError(
                .invalidInput, "\(columns) columns are not a whole number of \(tensor.type)'s blocks")
        }
        let widest = max(rowBytes, columns.multipliedReportingOverflow(by: 4).partialValue)
        guard columns <= maximumBlobBytes / 4, widest <= maximumBlobBytes / multiple else {
            let what = multiple == 1 ? "a row" : "\(multiple) rows"
            throw QuernError(
                .unsupported,
                "\(what) of \(columns) columns are more than the \(maximumBlobBytes >> 20) MiB that one span may have")
        }
        let step = max(min(targetBytes / rowBytes, maximumBlobBytes / widest) / multiple, 1) * multiple
        return stride(from: 0, to: rows, by: step).map { RowRange(first: $0, count: min(step, rows - $0)) }
    }
}

/// Walks through the bytes of a tensor, extent by extent.
struct ExtentCursor {
    private let extents: [Extent]
    private var index = 0
    private var used: UInt64 = 0

    init(_ extents: [Extent]) { self.extents = extents }

    /// The next `count` bytes.
    /// - Throws: `QuernError` `.invalidInput` where the tensor has fewer.
    mutating func take(_ count: UInt64) throws(QuernError) -> [Extent] {
        var taken: [Extent] = []
        var missing = count
        while missing > 0 {
            guard index < extents.count else {
                throw QuernError(.invalidInput, "its bytes end \(missing) too early")
            }
            let extent = extents[index]
            let length = min(missing, extent.length - used)
            if length > 0 {
                taken.append(extent.part(at: used, length: length, origin: extent.origin))
            }
            missing -= length
            used += length
            if used == extent.length {
                index += 1
                used = 0
            }
        }
        return taken
    }
}

/// Walks through the bytes of a tensor, and through those of its scales where they are kept apart.
struct TensorCursor {
    private var values: ExtentCursor
    private var scales: ExtentCursor?
    private let type: ElementType

    init(_ tensor: SourceTensor) {
        values = ExtentCursor(tensor.extents)
        scales = tensor.scales.isEmpty ? nil : ExtentCursor(tensor.scales)
        type = tensor.type
    }

    /// What holds the next `count` bytes of blocks.
    /// - Throws: `QuernError` `.invalidInput` where the tensor has fewer.
    mutating func take(_ count: UInt64) throws(QuernError) -> (extents: [Extent], scales: [Extent]) {
        guard var scales else { return (try values.take(count), []) }
        let blocks = count / UInt64(type.blockBytes)
        defer { self.scales = scales }
        return (try values.take(count - blocks), try scales.take(blocks))
    }
}
