import QuernFormats
import QuernKernels
import QuernPlanning
import QuernStore

/// Reads rows of a tensor as single precision, as the model's GGUF has them: moved, joined and with what is added to
/// them. Threads may share it.
public struct TensorReader: Sendable {
    public let tensor: SourceTensor
    private let reader: SpanReader
    private let rowBytes: Int

    /// Bytes that are read at a time.
    private static let pieceBytes = 256 << 10

    /// - Parameters:
    ///   - files: opened from `SourceModel.files` of the tensor's model; call `checkUnchanged()` when all is read.
    ///   - blobs: `SourceModel.blobs`.
    /// - Throws: `QuernError` `.unsupported` for a type without a decoder, `.invalidInput` where extents do not hold
    ///   the tensor; what opening files throws.
    public init(tensor: SourceTensor, files: SourceFiles, blobs: [Digest: [UInt8]] = [:]) throws {
        guard EncodableTypes.contains(tensor.type), let rowBytes = tensor.type.bytes(elements: tensor.columns) else {
            throw QuernError(.unsupported, "there is no decoder for \(tensor.type)", at: tensor.name)
        }
        self.tensor = tensor
        self.rowBytes = rowBytes
        reader = try SpanReader(
            extents: tensor.extents, scales: tensor.scales, type: tensor.type, columns: tensor.columns,
            rows: tensor.rows, name: tensor.name, files: files,
            weights: { try DequantizedSource($0, files: files) }
        ) { digest in
            guard let bytes = blobs[digest] else {
                throw QuernError(.notFound, "the computed values \(digest) are missing", at: tensor.name)
            }
            return bytes
        }
    }

    /// - Parameters:
    ///   - rows: counted through all matrices of the tensor, within `0..<tensor.rows`.
    ///   - values: receives [rows, `tensor.columns`].
    public func read(_ rows: Range<Int>, into values: UnsafeMutableBufferPointer<Float>) throws {
        guard rows.lowerBound >= 0, rows.upperBound <= tensor.rows, values.count == rows.count * tensor.columns else {
            throw QuernError(
                .internalFault, "rows \(rows) into \(values.count) values, of \(tensor.rows) rows", at: tensor.name)
        }
        let step = max(1, Self.pieceBytes / rowBytes)
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: step) {
            let count = min(step, rows.upperBound - first)
            let start = (first - rows.lowerBound) * tensor.columns
            let piece = UnsafeMutableBufferPointer(rebasing: values[start..<start + count * tensor.columns])
            try withUnsafeTemporaryAllocation(byteCount: count * rowBytes, alignment: 16) { bytes in
                try reader.read(at: first * rowBytes, into: bytes)
                Kernels.decode(tensor.type, bytes: UnsafeRawBufferPointer(bytes), adding: tensor.addend, into: piece)
            }
        }
    }

    /// All of them, or some: [rows, `tensor.columns`].
    public func values(_ rows: Range<Int>? = nil) throws -> [Float] {
        let rows = rows ?? 0..<tensor.rows
        return try [Float](unsafeUninitializedCapacity: rows.count * tensor.columns) { buffer, count in
            try read(rows, into: buffer)
            count = rows.count * tensor.columns
        }
    }
}
