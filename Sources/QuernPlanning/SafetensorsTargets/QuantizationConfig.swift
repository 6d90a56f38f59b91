import Foundation
import QuernFormats

/// `quantization_config` of config.json as compressed-tensors reads it. Unknown members would be refused, and those left
/// out have their usual value.
struct QuantizationConfig: Encodable {
    let quant_method = "compressed-tensors"
    let quantization_status = "compressed"
    let format: String
    let ignore: [String]
    let config_groups: [String: Group]

    struct Group: Encodable {
        let targets: [String]
        let format: String
        let weights: Numbers
        let input_activations: Numbers?
    }

    struct Numbers: Encodable {
        let num_bits: Int
        let type: String
        let strategy: String
        var symmetric = true
        var group_size: Int?
        var block_structure: [Int]?
        var dynamic: Dynamic = .no
        var scale_dtype: String?
    }

    /// Whether scales are found at run time.
    enum Dynamic: Encodable {
        case no, yes
        /// Those of groups are.
        case local

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .no: try container.encode(false)
            case .yes: try container.encode(true)
            case .local: try container.encode("local")
            }
        }
    }

    /// The first group is meant for all layers but those that the others, or `ignore`, name.
    init(_ schemes: LayerSchemes) {
        let names = LayerTargets(layers: schemes.ignored + schemes.groups.flatMap(\.layers))
        ignore = names.texts(for: schemes.ignored)
        var groups: [String: Group] = [:]
        for (number, group) in schemes.groups.enumerated() {
            groups["group_\(number)"] = Group(
                targets: number == 0 ? ["Linear"] : names.texts(for: group.layers),
                format: group.scheme.weights.formatName, weights: group.scheme.weights.numbers,
                input_activations: group.scheme.activations?.numbers)
        }
        let formats = Set(groups.values.map(\.format))
        format = formats.count == 1 ? formats.first ?? "" : "mixed-precision"
        config_groups = groups
    }
}

extension WeightFormat {
    fileprivate var formatName: String {
        switch self {
        case .packed: "pack-quantized"
        case .integer: "int-quantized"
        case .float, .floatBlocks: "float-quantized"
        case .nvfp4: "nvfp4-pack-quantized"
        case .mxfp4: "mxfp4-pack-quantized"
        case .nf4, .absmax8: preconditionFailure("\(self) is none of compressed-tensors")
        }
    }

    fileprivate var numbers: QuantizationConfig.Numbers {
        switch self {
        case .packed(let bits, let group, let isSymmetric):
            .init(
                num_bits: bits, type: "int", strategy: group == nil ? "channel" : "group", symmetric: isSymmetric,
                group_size: group)
        case .integer: .init(num_bits: 8, type: "int", strategy: "channel")
        case .float: .init(num_bits: 8, type: "float", strategy: "channel")
        case .floatBlocks:
            .init(
                num_bits: 8, type: "float", strategy: "block",
                block_structure: [Self.blockLength, Self.blockLength])
        case .nvfp4:
            .init(
                num_bits: 4, type: "float", strategy: "tensor_group", group_size: group,
                scale_dtype: "torch.float8_e4m3fn")
        case .mxfp4: .init(num_bits: 4, type: "float", strategy: "group", group_size: group, scale_dtype: "torch.uint8")
        case .nf4, .absmax8: preconditionFailure("\(self) is none of compressed-tensors")
        }
    }
}

extension Scheme.Activations {
    fileprivate var numbers: QuantizationConfig.Numbers {
        switch self {
        case .int8: .init(num_bits: 8, type: "int", strategy: "token", dynamic: .yes)
        case .float8: .init(num_bits: 8, type: "float", strategy: "token", dynamic: .yes)
        case .float8Groups: .init(num_bits: 8, type: "float", strategy: "group", group_size: 128, dynamic: .yes)
        case .nvfp4:
            .init(
                num_bits: 4, type: "float", strategy: "tensor_group", group_size: 16, dynamic: .local,
                scale_dtype: "torch.float8_e4m3fn")
        case .mxfp4:
            .init(
                num_bits: 4, type: "float", strategy: "group", group_size: 32, dynamic: .yes, scale_dtype: "torch.uint8"
            )
        }
    }
}
