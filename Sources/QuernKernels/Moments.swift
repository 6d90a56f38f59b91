import CQuernKernels

extension Kernels {
    /// Adds rows of activations to sums over each of their columns, in double precision and in the order of the rows:
    /// the same bits on every machine.
    /// - Parameters:
    ///   - rows: [n, columns], `columns` being the count of the sums.
    ///   - squares: Σx² is added.
    ///   - magnitudes: Σ|x| is added.
    ///   - maxima: become the larger of themselves (at least 0) and |x|; a NaN is larger than all.
    public static func addMoments(
        of rows: UnsafeBufferPointer<Float>, squares: UnsafeMutableBufferPointer<Double>,
        magnitudes: UnsafeMutableBufferPointer<Double>, maxima: UnsafeMutableBufferPointer<Float>,
        with set: InstructionSet = .best
    ) {
        let columns = squares.count
        precondition(magnitudes.count == columns && maxima.count == columns, "three sums for every column")
        precondition(columns > 0 && rows.count % columns == 0, "whole rows only")
        guard let base = rows.baseAddress, let first = squares.baseAddress, let second = magnitudes.baseAddress,
            let third = maxima.baseAddress
        else { return }
        let done = quern_add_moments(set.rawValue, base, rows.count / columns, columns, first, second, third)
        precondition(done, "\(set) is not available")
    }
}
