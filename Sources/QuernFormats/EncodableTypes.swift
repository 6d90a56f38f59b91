/// Which element types can be made and read, known to planners that have no kernels at hand: all but the whole numbers
/// and F64, which are only ever copied.
public enum EncodableTypes {
    /// In ascending order of type id.
    public static let all: [ElementType] = [
        .f32, .f16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq2_xxs, .iq2_xs,
        .iq3_xxs, .iq1_s, .iq4_nl, .iq3_s, .iq2_s, .iq4_xs, .iq1_m, .bf16, .tq1_0, .tq2_0, .mxfp4, .nvfp4, .q1_0,
        .q2_0,
    ]

    public static func contains(_ type: ElementType) -> Bool { members.contains(type) }

    private static let members = Set(all)
}

extension ElementType {
    /// Whether an encoder weighs errors by an importance matrix where there is one. For the others a part is the same
    /// with and without.
    public var usesImportance: Bool {
        switch self {
        case .q4_0, .q4_1, .q5_0, .q5_1, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs,
            .iq3_s, .iq1_s, .iq1_m, .iq4_nl, .iq4_xs:
            true
        case .f32, .f16, .bf16, .f64, .i8, .i16, .i32, .i64, .q8_0, .tq1_0, .tq2_0, .mxfp4, .nvfp4, .q1_0, .q2_0:
            false
        }
    }

    /// Whether there is an encoder that makes good the errors of columns by those after them, given Gram matrices.
    public var isRefined: Bool {
        switch self {
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_nl, .iq4_xs, .iq3_s, .iq3_xxs,
            .iq2_s, .iq2_xs, .iq2_xxs, .iq1_s, .iq1_m:
            true
        default: false
        }
    }

    /// Neighbouring columns that such an encoder rounds together, since they have a point of a code book or the parity of
    /// their signs in common; 1 for the other types.
    public var refinedRun: Int {
        switch self {
        case .iq3_s: 4
        case .iq3_xxs, .iq2_s, .iq2_xs, .iq2_xxs, .iq1_s, .iq1_m: 8
        default: 1
        }
    }
}
