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

    /// Adds what blocks have lost of the rows that they were made of.
    static func measure(
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
