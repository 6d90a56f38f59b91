import CQuernKernels

extension Kernels {
    /// Writes values as BF16 numbers, two bytes each in place of four.
    /// - Parameter target: at least two bytes for each value.
    /// - Returns: false where one of them is none; `target` has no meaning then.
    public static func packBrainFloats(
        _ values: UnsafeBufferPointer<Float>, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        precondition(target.count >= 2 * values.count, "two bytes for each value")
        guard let from = values.baseAddress, let to = target.baseAddress else { return true }
        return quern_pack_brain_floats(from, values.count, to.assumingMemoryBound(to: UInt16.self))
    }
}
