import QuernFormats
import QuernJobs

/// Decides the element type of every tensor of a target, in the order of the artifact: what is never encoded, then
/// what the user asked for, then the preset's mixture, then what a shape forces.
struct TypeChooser {
    private let preset: Preset
    private let target: Recipe.GGUFTarget
    private let rules: [TensorNameRule]
    private let allowRequantize: Bool
    private var mixture: MixtureRules

    /// - Parameters:
    ///   - rules: those of the target.
    ///   - facts: of all tensors of the model.
    init(
        preset: Preset, target: Recipe.GGUFTarget, rules: [TensorNameRule], model: ModelFacts, facts: [TensorFacts],
        hasImportance: Bool, allowRequantize: Bool
    ) {
        self.preset = preset
        self.allowRequantize = allowRequantize
        self.target = target
        self.rules = rules
        mixture = MixtureRules(
            preset: preset, model: model, categories: facts.map(\.category), hasImportance: hasImportance,
            outputType: target.outputTensorType)
    }

    /// - Throws: `QuernError` saying why the target cannot have this tensor.
    mutating func type(of tensor: SourceTensor, _ facts: TensorFacts) throws(QuernError) -> ElementType {
        if let type = tensor.fixedType, !(allowRequantize && type.isQuantized) { return type }
        guard facts.isQuantizable, !(target.leaveOutputTensor && facts.category == .output) else { return tensor.type }
        let type = try wanted(tensor, facts)
        guard tensor.columns % type.blockSize == 0 else {
            throw QuernError(
                .unsupported,
                "\(tensor.columns) columns are not a whole number of \(type)'s blocks of \(type.blockSize)")
        }
        return type
    }

    private mutating func wanted(_ tensor: SourceTensor, _ facts: TensorFacts) throws(QuernError) -> ElementType {
        if facts.category == .tokenEmbedding, let type = target.tokenEmbeddingType { return type }
        if facts.category == .output, let type = target.outputTensorType { return type }
        // The F32, F16 and BF16 presets know no exceptions.
        guard preset.baseType.isQuantized else { return preset.baseType }
        if let rule = rules.first(where: { $0.matches(facts.name) }) {
            return try Self.fitting(rule.type, columns: tensor.columns)
        }
        let type = target.pure ? preset.baseType : try mixture.type(of: tensor, facts)
        return try Self.fitting(type, columns: tensor.columns)
    }

    /// The nearest type that rows of `columns` elements can have: one of smaller blocks, then F16.
    private static func fitting(_ type: ElementType, columns: Int) throws(QuernError) -> ElementType {
        guard columns % type.blockSize != 0 else { return type }
        let smaller: ElementType
        switch type {
        case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s, .iq4_xs: smaller = .iq4_nl
        case .q2_0, .q2_K, .q3_K, .tq1_0, .tq2_0: smaller = .q4_0
        case .q4_K: smaller = .q5_0
        case .q5_K: smaller = .q5_1
        case .q6_K: smaller = .q8_0
        default:
            throw QuernError(
                .unsupported,
                "\(columns) columns are not a whole number of \(type)'s blocks of \(type.blockSize), and no other type "
                    + "takes its place")
        }
        return columns % smaller.blockSize == 0 ? smaller : .f16
    }

    /// Whether a tensor would be useless in this type without an importance matrix.
    func needsImportance(_ type: ElementType, _ facts: TensorFacts) -> Bool {
        switch type {
        // The reference has no encoder without one.
        case .iq1_s, .iq2_xxs, .iq2_xs: return true
        case .iq1_m, .iq2_s, .iq3_xxs: break
        case .q2_K where preset == .q2_K_S: break
        default: return false
        }
        return facts.category != .tokenEmbedding && facts.category != .output
    }
}
