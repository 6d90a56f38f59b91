import CQuernKernels
import QuernFormats

/// The kernels of `DeviceProgram.refining`, by what their names in the source begin with, where it is said what they take.
public enum RefineKernel: String, CaseIterable, Sendable {
    case tiles = "quern_refine_tiles"
    case weigh = "quern_refine_weigh"
    case correct = "quern_refine_correct"
    case attempt = "quern_refine_try"
    case keep = "quern_refine_keep"
    case store = "quern_refine_store"

    public func name(_ type: ElementType) -> String { "\(rawValue)_\(type.rawValue)" }

    /// Bytes that they work in for each `WeightKernel.lanes` rows.
    public static let workBytes = Int(quern_refine_work)
    /// Sizes of a block's scales that are tried.
    public static let trials = Int(quern_refine_trials)
}

/// A block of a feedback whose arrays are in a device's memory, as kernels are told of it.
public struct DeviceFeedback: BitwiseCopyable, Sendable {
    public let first: Int
    /// Of its columns.
    public let count: Int
    private let order, panels, variances: UInt64

    /// - Parameters: as those of `Feedback.Block`; of arrays the addresses.
    public init(first: Int, count: Int, order: UInt64, panels: UInt64, variances: UInt64) {
        (self.first, self.count) = (first, count)
        (self.order, self.panels, self.variances) = (order, panels, variances)
    }
}
