import CQuernKernels
import QuernFormats

/// The kernels of `DeviceProgram.weights`, by their names in the source, where it is said what they take.
public enum WeightKernel: String, CaseIterable, Sendable {
    case ranges = "quern_weight_ranges"
    case scales = "quern_weight_scales"
    case codes = "quern_weight_codes"
    case values = "quern_weight_values"
    case pack = "quern_weight_pack"
    case storeScales = "quern_weight_store_scales"
    case storeZeroPoints = "quern_weight_store_zero_points"
    case fitTiles = "quern_fit_tiles"
    case fitScales = "quern_fit_scales"
    case fitCodes = "quern_fit_codes"
    case fitPanel = "quern_fit_panel"
    case fitRoundPanel = "quern_fit_round_panel"
    case factorSquares = "quern_factor_squares"
    case factorRow = "quern_factor_row"
    case factorColumns = "quern_factor_columns"

    /// Rows of a tile.
    public static let lanes = 32
    /// Columns whose sums a thread has at hand while it goes by a feedback.
    public static let step = Int(quern_feedback_step)
    /// Rows and columns of a square of a matrix to be factored.
    public static let strip = Int(quern_factor_strip)
}

/// What these kernels are told of a format.
public struct DeviceWeightLayout: BitwiseCopyable, Sendable {
    private let layout: quern_weight_layout

    /// - Parameters: as those of `Kernels.quantize`.
    public init(_ format: WeightFormat, source: SafetensorsType, columns: Int, globalScale: Float?) {
        layout = quern_weight_layout(format, source: source, columns: columns, globalScale: globalScale)
    }
}
