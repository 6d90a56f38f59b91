import QuernFormats
import QuernKernels

/// What encodes rows to blocks: the processor, or cards. All give the same bytes, and the same sums of what is lost.
package protocol EncodingEngine: Sendable {
    /// Elements that are best encoded in one call.
    var chunkElements: Int { get }
    /// Bytes of this machine's memory that a chunk on its way takes, beyond those of a chunk of the processor's.
    var memory: Int64 { get }

    /// Encodes whole rows. Calls may come from several threads.
    /// - Parameters:
    ///   - type: one of `EncodableTypes.all`.
    ///   - rows: finite values, row after row.
    ///   - importance: `columns` weights, or nil.
    ///   - encoded: as many bytes as the blocks of the rows have.
    ///   - error: what was lost of the rows before; what is lost of these is added, row by row. Nil where nobody asks.
    func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into encoded: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?, _ scratch: Scratch
    ) throws

    /// Encodes whole rows whose columns make good each other's errors, as `Kernels.refine` does. Calls may come from
    /// several threads.
    /// - Parameters:
    ///   - type: one that `isRefined`.
    ///   - rows: as those of `encode`; a multiple of `Kernels.refinedRows`, or the last of the matrix.
    func refine(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int, by refining: Refining,
        into encoded: UnsafeMutableRawBufferPointer, error: inout EncodingError?, _ scratch: Scratch
    ) throws
}

/// What blocks are refined by.
package struct Refining: Sendable {
    /// A value for each column.
    package let importance: [Float]
    package let feedback: SharedFeedback

    package init(importance: [Float], feedback: SharedFeedback) {
        (self.importance, self.feedback) = (importance, feedback)
    }
}

/// A feedback by reference: what an engine has made of it can be used again for the same one.
package final class SharedFeedback: Sendable {
    package let value: Feedback

    package init(_ value: Feedback) { self.value = value }
}

/// The processor.
package struct ProcessorEngine: EncodingEngine {
    package init() {}

    /// A chunk's buffers together fit a core's own cache.
    package var chunkElements: Int { 128 << 10 }
    package var memory: Int64 { 0 }

    package func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into encoded: UnsafeMutableRawBufferPointer,
        error: inout EncodingError?, _ scratch: Scratch
    ) throws {
        Kernels.encode(type, rows: rows, columns: columns, importance: importance, into: encoded)
        try Self.measure(type, encoded, against: rows, columns: columns, error: &error, scratch)
    }

    package func refine(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int, by refining: Refining,
        into encoded: UnsafeMutableRawBufferPointer, error: inout EncodingError?, _ scratch: Scratch
    ) throws {
        let room = try scratch.working.floats(Kernels.refiningScratch(columns: columns))
        let count = rows.count / columns, rowBytes = encoded.count / max(count, 1)
        for row in stride(from: 0, to: count, by: Kernels.refinedRows) {
            let end = min(row + Kernels.refinedRows, count)
            Kernels.refine(
                type, rows: UnsafeBufferPointer(rebasing: rows[row * columns..<end * columns]), columns: columns,
                importance: refining.importance, feedback: refining.feedback.value, scratch: room,
                into: UnsafeMutableRawBufferPointer(rebasing: encoded[row * rowBytes..<end * rowBytes]))
        }
        try Self.measure(type, encoded, against: rows, columns: columns, error: &error, scratch)
    }

    /// Adds what blocks have lost of the rows that they were made of.
    private static func measure(
        _ type: ElementType, _ encoded: UnsafeMutableRawBufferPointer, against rows: UnsafeBufferPointer<Float>,
        columns: Int, error: inout EncodingError?, _ scratch: Scratch
    ) throws {
        guard let preceding = error else { return }
        let decoded = try scratch.decoded.floats(rows.count)
        Kernels.decode(type, bytes: UnsafeRawBufferPointer(encoded), into: decoded)
        error = Kernels.error(
            original: rows, decoded: UnsafeBufferPointer(decoded), columns: columns, after: preceding)
    }
}
