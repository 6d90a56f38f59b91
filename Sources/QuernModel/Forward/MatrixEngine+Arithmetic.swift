import CDNNL
import QuernKernels

extension MatrixEngine {
    /// How it multiplies and sums, in words: equal words mean equal bits.
    var arithmetic: String {
        let products =
            switch precision {
            case .single: "single precision"
            case .splitBF16: "BF16 halves"
            }
        return "\(products), \(InstructionSet.best), \(Self.library)"
    }

    /// Name, version and instruction set of the library, by its own numbers.
    private static let library: String = {
        var version: (major: Int32, minor: Int32, patch: Int32) = (0, 0, 0)
        quern_dnnl_version(&version.major, &version.minor, &version.patch)
        let instructions = String(quern_dnnl_instruction_set(), radix: 16)
        return "oneDNN \(version.major).\(version.minor).\(version.patch) for 0x\(instructions)"
    }()
}
