/// The kernels of `DeviceProgram.forward`, by their names in the source, where it is said what they take.
public enum ForwardKernel: String, CaseIterable, Sendable {
    case clear = "quern_forward_clear"
    case copy = "quern_forward_copy"
    case gather = "quern_forward_gather"
    case scatter = "quern_forward_scatter"
    case add = "quern_forward_add"
    case scale = "quern_forward_scale"
    case softCap = "quern_forward_soft_cap"
    case rotate = "quern_forward_rotate"
    case activate = "quern_forward_activate"
    case split = "quern_forward_split"
    case addProducts = "quern_forward_add_products"
    case moments = "quern_forward_moments"
    case normSums = "quern_forward_norm_sums"
    case normFactors = "quern_forward_norm_factors"
    case normApply = "quern_forward_norm_apply"
    case softmaxMaxima = "quern_forward_softmax_maxima"
    case softmaxSums = "quern_forward_softmax_sums"
    case softmaxFactors = "quern_forward_softmax_factors"
    case softmaxApply = "quern_forward_softmax_apply"

    /// Places of a sum: threads that work on a row together.
    public static let places = 16
}
