import CQuernKernels
import QuernFormats
import QuernKernels

extension quern_forward_kernels {
    /// Those of the best instructions that the processor has.
    static func best() throws(QuernError) -> quern_forward_kernels {
        guard let steps = quern_forward(InstructionSet.best.rawValue) else {
            throw QuernError(.internalFault, "no kernels for \(InstructionSet.best)")
        }
        return steps.pointee
    }
}
