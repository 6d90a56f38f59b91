import CQuernKernels
import QuernFormats

/// Encoding and decoding of blocks, at the speed of the machine.
///
/// The bytes are those of the reference implementation of GGUF quantization (ggml's `ggml-quants.c`, compiled for
/// plain IEEE single precision) on every instruction set. Calls keep no state: any number of threads may make them.
/// Each uses up to 128 KiB of its thread's stack.
public enum Kernels {
    /// Encodes whole rows.
    /// - Parameters:
    ///   - type: one of `EncodableTypes.all`.
    ///   - rows: finite values, row after row; `rows.count` is a multiple of `columns`. Infinities and NaN are safe
    ///     but mean nothing in a quantized type: see `firstNonFinite(in:)`.
    ///   - columns: at least 1, a multiple of `type.blockSize`.
    ///   - importance: `columns` weights, at least 0 (mean squared activations), or nil. Some types do not depend on
    ///     it: see `ElementType.usesImportance`.
    ///   - output: `type.bytes(elements: rows.count)` bytes, with any alignment.
    public static func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into output: UnsafeMutableRawBufferPointer,
        with set: InstructionSet = .best
    ) {
        precondition(columns > 0 && columns % type.blockSize == 0, "a row is a whole number of blocks")
        precondition(rows.count % columns == 0, "whole rows only")
        precondition(type.bytes(elements: rows.count) == output.count, "the output has another size")
        precondition(importance.map { $0.count == columns } ?? true, "one weight for every column")
        guard let source = rows.baseAddress, let target = output.baseAddress, !rows.isEmpty else { return }
        let done = quern_encode(
            set.rawValue, type.rawValue, source, rows.count / columns, columns, importance?.baseAddress,
            target.assumingMemoryBound(to: UInt8.self))
        precondition(done, "no encoder for \(type) with \(set)")
    }

    /// Decodes blocks.
    /// - Parameters:
    ///   - type: one of `EncodableTypes.all`.
    ///   - bytes: whole blocks, with any alignment: `type.bytes(elements: values.count)` bytes.
    ///   - values: receives the values.
    public static func decode(
        _ type: ElementType, bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>,
        with set: InstructionSet = .best
    ) {
        precondition(type.bytes(elements: values.count) == bytes.count, "the input has another size")
        guard let source = bytes.baseAddress, let target = values.baseAddress, !values.isEmpty else { return }
        let done = quern_decode(
            set.rawValue, type.rawValue, source.assumingMemoryBound(to: UInt8.self), values.count, target)
        precondition(done, "no decoder for \(type) with \(set)")
    }

    /// Decodes blocks and adds the same number to every value.
    /// - Parameter addend: nil leaves values as they are.
    public static func decode(
        _ type: ElementType, bytes: UnsafeRawBufferPointer, adding addend: Float?,
        into values: UnsafeMutableBufferPointer<Float>
    ) {
        decode(type, bytes: bytes, into: values)
        guard let addend else { return }
        for index in values.indices { values[index] += addend }
    }

    /// The index of the first infinity or NaN, nil where all values are finite.
    public static func firstNonFinite(
        in values: UnsafeBufferPointer<Float>, with set: InstructionSet = .best
    ) -> Int? {
        guard let base = values.baseAddress else { return nil }
        let index = quern_first_non_finite(set.rawValue, base, values.count)
        return index < values.count ? index : nil
    }
}
