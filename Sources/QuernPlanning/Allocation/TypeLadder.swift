import QuernFormats
import QuernJobs

/// The types that a tensor may be given where types are chosen by what they cost.
struct TypeLadder {
    private let wide: Bool

    /// - Returns: nil for tensors whose type is not chosen: those that are never quantized, that are quantized already, and
    ///   that have no whole blocks.
    init?(_ tensor: SourceTensor) {
        guard TensorFacts(tensor).isQuantizable, tensor.fixedType == nil, EncodableTypes.contains(tensor.type),
            !tensor.type.isQuantized, !tensor.isDequantized, tensor.columns % 32 == 0
        else { return nil }
        wide = tensor.columns % 256 == 0
    }

    /// About in ascending order of bits; those whose refined encoders take the same factor follow each other.
    func types(hasImportance: Bool) -> [ElementType] {
        guard wide else { return [.q4_0, .iq4_nl, .q4_1, .q5_0, .q5_1, .q8_0] }
        let few: [ElementType] = hasImportance ? [.iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s] : []
        return few + [.q2_K, .q3_K, .iq4_xs, .q4_K, .q5_K, .q6_K, .q8_0]
    }

    /// The type whose effect is measured: of about three or four bits, so that it stands out from the noise of arithmetic
    /// and is not beyond proportion.
    static func probe(of types: [ElementType]) -> ElementType { types.contains(.q3_K) ? .q3_K : .q4_0 }
}
