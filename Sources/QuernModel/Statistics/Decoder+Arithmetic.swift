import QuernKernels

extension Decoder {
    /// What the last digits of this machine's products depend on.
    public static var arithmetic: String { "single precision, \(InstructionSet.best)" }
}
