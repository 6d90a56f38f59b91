import QuernFormats

/// The encoders in plain Swift: slow, readable, one block after the other, with the bytes of `Kernels.encode`.
///
/// It is what the lane kernels are compared with, and the place to read what an encoder does. The algorithms are those
/// of ggml's `ggml-quants.c` (llama.cpp commit 0c1e57098). Arithmetic is IEEE single precision, without fused
/// multiply-add, and sums run from the first value to the last: both decide bytes.
public enum ReferenceEncoder {
    /// What encodes one block.
    /// - Parameters:
    ///   - values: `blockSize` of them.
    ///   - importance: as many weights, or nil.
    ///   - rowMeanSquare: Σx²/n over the whole row; only blocks of 32 use it, and only with importance.
    /// - Returns: `blockBytes` bytes.
    typealias BlockEncoder = (_ values: [Float], _ importance: [Float]?, _ rowMeanSquare: Float) -> [UInt8]

    /// Encodes whole rows; the parameters are those of `Kernels.encode`.
    public static func encode(
        _ type: ElementType, rows: UnsafeBufferPointer<Float>, columns: Int,
        importance: UnsafeBufferPointer<Float>?, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(columns > 0 && columns % type.blockSize == 0, "a row is a whole number of blocks")
        precondition(rows.count % columns == 0, "whole rows only")
        precondition(type.bytes(elements: rows.count) == output.count, "the output has another size")
        precondition(importance.map { $0.count == columns } ?? true, "one weight for every column")
        guard let encodeBlock = blockEncoder(for: type) else { preconditionFailure("no encoder for \(type)") }
        var written = 0
        for row in stride(from: 0, to: rows.count, by: columns) {
            let rowMeanSquare = sumOfSquares(Array(rows[row..<row + columns])) / Float(columns)
            for column in stride(from: 0, to: columns, by: type.blockSize) {
                let block = encodeBlock(
                    Array(rows[row + column..<row + column + type.blockSize]),
                    importance.map { Array($0[column..<column + type.blockSize]) }, rowMeanSquare)
                UnsafeMutableRawBufferPointer(rebasing: output[written...]).copyBytes(from: block)
                written += block.count
            }
        }
    }

    private static func blockEncoder(for type: ElementType) -> BlockEncoder? {
        switch type {
        case .f32: { values, _, _ in values[0].bitPattern.littleEndianBytes }
        case .f16: { values, _, _ in values[0].halfBits.littleEndianBytes }
        case .bf16: { values, _, _ in values[0].brainFloatBits.littleEndianBytes }
        case .q8_0: { values, _, _ in q8_0(values) }
        case .q4_0: { symmetric($0, importance: $1, rowMeanSquare: $2, bound: 8) }
        case .q5_0: { symmetric($0, importance: $1, rowMeanSquare: $2, bound: 16) }
        case .q4_1: { affine($0, importance: $1, rowMeanSquare: $2, highest: 15) }
        case .q5_1: { affine($0, importance: $1, rowMeanSquare: $2, highest: 31) }
        case .q2_K: { values, importance, _ in q2_K(values, importance: importance) }
        case .q3_K: { values, importance, _ in q3_K(values, importance: importance) }
        case .q4_K: { values, importance, _ in affineK(values, importance: importance, highest: 15) }
        case .q5_K: { values, importance, _ in affineK(values, importance: importance, highest: 31) }
        case .q6_K: { values, importance, _ in q6_K(values, importance: importance) }
        case .iq2_xxs: { values, importance, _ in iq2_xxs(values, importance: importance) }
        case .iq2_xs: { values, importance, _ in iq2_xs(values, importance: importance) }
        case .iq2_s: { values, importance, _ in iq2_s(values, importance: importance) }
        case .iq3_xxs: { values, importance, _ in iq3_xxs(values, importance: importance) }
        case .iq3_s: { values, importance, _ in iq3_s(values, importance: importance) }
        case .iq1_s: { values, importance, _ in iq1_s(values, importance: importance) }
        case .iq1_m: { values, importance, _ in iq1_m(values, importance: importance) }
        case .iq4_nl: { values, importance, _ in iq4_nl(values, importance: importance) }
        case .iq4_xs: { values, importance, _ in iq4_xs(values, importance: importance) }
        case .tq1_0: { values, _, _ in tq1_0(values) }
        case .tq2_0: { values, _, _ in tq2_0(values) }
        case .mxfp4: { values, _, _ in mxfp4(values) }
        case .nvfp4: { values, _, _ in nvfp4(values) }
        case .q1_0: { values, _, _ in q1_0(values) }
        case .q2_0: { values, _, _ in q2_0(values) }
        default: nil
        }
    }

    /// Σx², in order.
    static func sumOfSquares(_ values: [Float]) -> Float {
        values.reduce(0) { $0 + $1 * $1 }
    }

    /// importance · √(meanSquare + x²).
    static func weights(_ values: [Float], importance: [Float], meanSquare: Float) -> [Float] {
        zip(values, importance).map { $1 * (meanSquare + $0 * $0).squareRoot() }
    }

    /// The value with the largest magnitude, the first where several have it; zero of no values.
    static func largest(_ values: [Float]) -> Float {
        values.reduce(0) { $1.magnitude > $0.magnitude ? $1 : $0 }
    }
}
