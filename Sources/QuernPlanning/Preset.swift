import QuernFormats

/// The presets of llama.cpp. Raw values are the ids that `general.file_type` holds.
public enum Preset: UInt32, Sendable, Hashable, CaseIterable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q8_0 = 7
    case q5_0 = 8
    case q5_1 = 9
    case q2_K = 10
    case q3_K_S = 11
    case q3_K_M = 12
    case q3_K_L = 13
    case q4_K_S = 14
    case q4_K_M = 15
    case q5_K_S = 16
    case q5_K_M = 17
    case q6_K = 18
    case iq2_xxs = 19
    case iq2_xs = 20
    case q2_K_S = 21
    case iq3_xs = 22
    case iq3_xxs = 23
    case iq1_s = 24
    case iq4_nl = 25
    case iq3_s = 26
    case iq3_m = 27
    case iq2_s = 28
    case iq2_m = 29
    case iq4_xs = 30
    case iq1_m = 31
    case bf16 = 32
    case tq1_0 = 36
    case tq2_0 = 37
    case mxfp4_moe = 38
    case nvfp4 = 39
    case q1_0 = 40
    case q2_0 = 41

    /// Finds a preset by name without regard to case; `Q3_K`, `Q4_K` and `Q5_K` mean the M form.
    /// - Throws: `QuernError` `.usage` for an unknown name.
    public init(named name: String) throws {
        guard let preset = Self.byName[name.uppercased()] else {
            let known = Self.allCases.map(\.name).joined(separator: ", ")
            let schemes = Scheme.names.joined(separator: ", ")
            throw QuernError(
                .usage, "unknown preset '\(name)'", remedy: "There are \(known), and the schemes \(schemes)")
        }
        self = preset
    }

    /// As llama.cpp spells it: `Q4_K_M`.
    public var name: String { facts.name }

    /// The type of every tensor that no rule treats in another way.
    public var baseType: ElementType { facts.base }

    private static let byName: [String: Preset] = {
        var names = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })
        names["Q3_K"] = .q3_K_M
        names["Q4_K"] = .q4_K_M
        names["Q5_K"] = .q5_K_M
        return names
    }()

    private var facts: (name: String, base: ElementType) {
        switch self {
        case .f32: ("F32", .f32)
        case .f16: ("F16", .f16)
        case .bf16: ("BF16", .bf16)
        case .q4_0: ("Q4_0", .q4_0)
        case .q4_1: ("Q4_1", .q4_1)
        case .q5_0: ("Q5_0", .q5_0)
        case .q5_1: ("Q5_1", .q5_1)
        case .q8_0: ("Q8_0", .q8_0)
        case .q2_K: ("Q2_K", .q2_K)
        case .q2_K_S: ("Q2_K_S", .q2_K)
        case .q3_K_S: ("Q3_K_S", .q3_K)
        case .q3_K_M: ("Q3_K_M", .q3_K)
        case .q3_K_L: ("Q3_K_L", .q3_K)
        case .q4_K_S: ("Q4_K_S", .q4_K)
        case .q4_K_M: ("Q4_K_M", .q4_K)
        case .q5_K_S: ("Q5_K_S", .q5_K)
        case .q5_K_M: ("Q5_K_M", .q5_K)
        case .q6_K: ("Q6_K", .q6_K)
        case .iq1_s: ("IQ1_S", .iq1_s)
        case .iq1_m: ("IQ1_M", .iq1_m)
        case .iq2_xxs: ("IQ2_XXS", .iq2_xxs)
        case .iq2_xs: ("IQ2_XS", .iq2_xs)
        case .iq2_s: ("IQ2_S", .iq2_xs)
        case .iq2_m: ("IQ2_M", .iq2_s)
        case .iq3_xxs: ("IQ3_XXS", .iq3_xxs)
        case .iq3_xs: ("IQ3_XS", .iq3_s)
        case .iq3_s: ("IQ3_S", .iq3_s)
        case .iq3_m: ("IQ3_M", .iq3_s)
        case .iq4_nl: ("IQ4_NL", .iq4_nl)
        case .iq4_xs: ("IQ4_XS", .iq4_xs)
        case .tq1_0: ("TQ1_0", .tq1_0)
        case .tq2_0: ("TQ2_0", .tq2_0)
        case .mxfp4_moe: ("MXFP4_MOE", .mxfp4)
        case .nvfp4: ("NVFP4", .nvfp4)
        case .q1_0: ("Q1_0", .q1_0)
        case .q2_0: ("Q2_0", .q2_0)
        }
    }
}
