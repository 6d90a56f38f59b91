import CQuernKernels

/// What encoding cost: sums over rows, added in the order of the rows.
public struct EncodingError: Sendable, Hashable, Codable {
    /// Σ(x − x̂)².
    public var squaredError: Double
    /// Σx².
    public var squaredNorm: Double

    public init(squaredError: Double = 0, squaredNorm: Double = 0) {
        self.squaredError = squaredError
        self.squaredNorm = squaredNorm
    }
}

extension Kernels {
    /// The error of decoded rows, with the same bits on every machine.
    ///
    /// Each row is summed in double precision with sixteen accumulators (element i of the row goes to accumulator
    /// i mod 16), which are then added in order; the rows' sums are added in order to `preceding`. So rows that are
    /// taken in several pieces, each handing its result to the next, give what they give in one piece.
    /// - Parameters:
    ///   - original: rows of `columns` values.
    ///   - decoded: as many.
    ///   - preceding: the result for the rows before these.
    public static func error(
        original: UnsafeBufferPointer<Float>, decoded: UnsafeBufferPointer<Float>, columns: Int,
        after preceding: EncodingError = EncodingError(), with set: InstructionSet = .best
    ) -> EncodingError {
        precondition(columns > 0 && original.count % columns == 0, "whole rows only")
        precondition(original.count == decoded.count, "as many decoded values as original ones")
        var sum = preceding
        guard let originalBase = original.baseAddress, let decodedBase = decoded.baseAddress else { return sum }
        for start in stride(from: 0, to: original.count, by: columns) {
            var row = quern_row_sums()
            let done = quern_row_error(set.rawValue, originalBase + start, decodedBase + start, columns, &row)
            precondition(done, "\(set) is not available")
            sum.squaredError += row.error
            sum.squaredNorm += row.norm
        }
        return sum
    }
}
