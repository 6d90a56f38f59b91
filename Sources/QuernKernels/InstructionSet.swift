import CQuernKernels

/// The builds of the lane kernels. All give the same bytes; a wider one gives them sooner.
public enum InstructionSet: UInt32, Sendable, Hashable {
    /// Plain C, one block at a time: runs everywhere.
    case plain = 0
    /// The x86-64 baseline.
    case sse2 = 1
    case avx2 = 2
    case avx512 = 3
    /// The arm64 baseline.
    case neon = 4

    /// The widest set that this machine has.
    public static let best: InstructionSet = allCases.last ?? .plain
}

extension InstructionSet: CaseIterable {
    /// The sets that this machine can run, narrowest first.
    public static let allCases: [InstructionSet] = [.plain, .sse2, .avx2, .avx512, .neon]
        .filter { quern_set_available($0.rawValue) }
}

extension InstructionSet: CustomStringConvertible {
    public var description: String {
        switch self {
        case .plain: "plain"
        case .sse2: "SSE2"
        case .avx2: "AVX2"
        case .avx512: "AVX-512"
        case .neon: "NEON"
        }
    }
}
