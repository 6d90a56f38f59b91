/// One of the tensors that a linear layer's weights become; raw values are what follows the layer's name and a dot.
public enum WeightComponent: String, Sendable, Hashable, Codable, CaseIterable {
    case globalScale = "weight_global_scale"
    case inputGlobalScale = "input_global_scale"
    case packed = "weight_packed"
    case scale = "weight_scale"
    case shape = "weight_shape"
    case weight
    case zeroPoint = "weight_zero_point"

    // AutoAWQ, GPTQ
    /// For each input the group that it is in.
    case groupIndex = "g_idx"
    case transposedWeight = "qweight"
    case transposedZeroPoint = "qzeros"
    case transposedScale = "scales"

    // bitsandbytes
    case magnitude = "weight.absmax"
    case magnitudeOfMagnitudes = "weight.nested_absmax"
    case magnitudeCodes = "weight.nested_quant_map"
    case codes = "weight.quant_map"
    case state = "weight.quant_state.bitsandbytes__nf4"
    case rowMagnitude = "SCB"
    case weightFormat = "weight_format"

    /// Whether the weights themselves are in it, as opposed to what they are scaled and shifted by.
    public var holdsWeights: Bool { [.packed, .weight, .transposedWeight].contains(self) }

    /// Whether rows of the matrix are columns of it: the shares of spans lie beside each other.
    public var isTransposed: Bool { [.transposedWeight, .transposedZeroPoint, .transposedScale].contains(self) }

    /// Whether it grows with the number of rows; otherwise there is one of the whole.
    public var hasRows: Bool {
        switch self {
        case .shape, .globalScale, .inputGlobalScale, .groupIndex, .magnitudeCodes, .codes, .state, .weightFormat: false
        case .packed, .scale, .weight, .zeroPoint: true
        case .transposedWeight, .transposedZeroPoint, .transposedScale: true
        case .magnitude, .magnitudeOfMagnitudes, .rowMagnitude: true
        }
    }
}
