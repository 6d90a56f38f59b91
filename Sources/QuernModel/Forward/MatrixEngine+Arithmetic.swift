import QuernKernels

extension MatrixEngine {
    /// How it multiplies, in words.
    var arithmetic: String {
        switch precision {
        case .single: "single precision, \(InstructionSet.best)"
        case .splitBF16: "BF16 halves, \(InstructionSet.best)"
        }
    }
}
