import CDNNL
import QuernFormats
import QuernKernels

extension MatrixEngine {
    package var arithmetic: String {
        let products =
            switch precision {
            case .single: "single precision"
            case .splitBF16: "BF16 halves"
            }
        return "\(products), \(InstructionSet.best), \(Self.library)"
    }

    /// Name, version and instruction set of the library, by its own numbers.
    private static let library: String = {
        let instructions = String(quern_dnnl_instruction_set(), radix: 16)
        return "oneDNN \(libraryVersion) for 0x\(instructions)"
    }()

    private static var libraryVersion: String {
        var version: (major: Int32, minor: Int32, patch: Int32) = (0, 0, 0)
        quern_dnnl_version(&version.major, &version.minor, &version.patch)
        return "\(version.major).\(version.minor).\(version.patch)"
    }

    /// The library that multiplies matrices, on this machine.
    package struct Library: Sendable {
        package let version: String
        /// Whether the processor multiplies BF16, and whether it has tiles (AMX) for it.
        package let hasBF16: Bool
        package let hasTiles: Bool
    }

    /// - Throws: `obstacle`.
    package static func installedLibrary() throws(QuernError) -> Library {
        if let obstacle { throw obstacle }
        return Library(
            version: libraryVersion, hasBF16: quern_dnnl_has_bf16(), hasTiles: quern_dnnl_has_tiles())
    }
}
