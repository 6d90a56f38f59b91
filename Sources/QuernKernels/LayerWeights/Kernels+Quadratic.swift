import CQuernKernels

extension Kernels {
    /// Vectors that lie side by side in a call of `addQuadratic`.
    public static let quadraticLanes = Int(quern_quadratic_lanes)

    /// Adds dᵀHd for vectors d: what the differences of rows of weights from what they are rounded to change in the
    /// outputs of a layer, squared, H being the Gram matrix of its input.
    ///
    /// H·d is summed in single precision in the order of the columns of H, the rest in double precision in the order of
    /// its rows: the sums are the same on every instruction set.
    /// - Parameters:
    ///   - matrix: H, symmetric, [count, count].
    ///   - values: the vectors, [count, `quadraticLanes`].
    ///   - scratch: as many values, of no meaning before and after.
    ///   - sums: a number for each vector.
    public static func addQuadratic(
        matrix: UnsafeBufferPointer<Float>, values: UnsafeBufferPointer<Float>,
        scratch: UnsafeMutableBufferPointer<Float>, to sums: inout [Double], with set: InstructionSet = .best
    ) {
        let count = values.count / quadraticLanes
        precondition(values.count == count * quadraticLanes && matrix.count == count * count, "a square matrix")
        precondition(scratch.count >= values.count && sums.count == quadraticLanes, "a place for every value")
        guard let matrix = matrix.baseAddress, let values = values.baseAddress, let scratch = scratch.baseAddress else {
            return
        }
        let done = sums.withUnsafeMutableBufferPointer {
            quern_add_quadratic(set.rawValue, matrix, count, values, scratch, $0.baseAddress)
        }
        precondition(done, "\(set) is not available")
    }
}
