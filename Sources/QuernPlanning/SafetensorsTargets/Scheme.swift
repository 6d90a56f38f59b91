import QuernFormats
import QuernJobs

/// A quantization scheme of a safetensors folder: how weights are stored, and how loaders round what goes into the layers.
/// Those of compressed-tensors are called as llm-compressor calls them.
struct Scheme: Equatable {
    let name: String
    let storage: WeightStorage
    /// Nil where activations stay as they are.
    let activations: Activations?

    /// Rounding of activations.
    enum Activations {
        /// A scale for each token.
        case int8, float8
        /// A scale for each token and 128 channels.
        case float8Groups
        /// A power of two for each token and 32 channels.
        case mxfp4
        /// A scale for each token and 16 channels, under one for all that calibration finds and the artifact holds.
        case nvfp4
    }

    /// The numbers that weights are stored as.
    var weights: WeightFormat { storage.numbers }

    /// The tensors that a layer's weights become, and what is stored for its input.
    var components: [WeightComponent] {
        storage.components + (activations == .nvfp4 ? [.inputGlobalScale] : [])
    }

    private static let all: [Scheme] = [
        Scheme(
            name: "W4A16", weights: .packed(bits: 4, group: 128, isSymmetric: true)),
        Scheme(
            name: "W4A16_ASYM", weights: .packed(bits: 4, group: 128, isSymmetric: false)),
        Scheme(
            name: "W8A16", weights: .packed(bits: 8, group: 128, isSymmetric: true)),
        Scheme(name: "W8A8", weights: .integer, activations: .int8),
        Scheme(name: "FP8_DYNAMIC", weights: .float, activations: .float8),
        Scheme(name: "FP8_BLOCK", weights: .floatBlocks, activations: .float8Groups),
        Scheme(name: "NVFP4", weights: .nvfp4, activations: .nvfp4),
        Scheme(name: "NVFP4A16", weights: .nvfp4),
        Scheme(name: "MXFP4", weights: .mxfp4, activations: .mxfp4),
        Scheme(name: "MXFP4A16", weights: .mxfp4),
        Scheme(name: "AWQ_GEMM", weights: .packed(bits: 4, group: 128, isSymmetric: false), layout: .awq),
        Scheme(name: "GPTQ_INT4", weights: .packed(bits: 4, group: 128, isSymmetric: true), layout: .gptq),
        Scheme(name: "GPTQ_INT8", weights: .packed(bits: 8, group: 128, isSymmetric: true), layout: .gptq),
        Scheme(name: "BNB_NF4", weights: .nf4, layout: .bitsandbytes),
        Scheme(name: "BNB_INT8", weights: .absmax8, layout: .bitsandbytes),
    ]

    /// Names as targets spell them.
    static var names: [String] { all.map(\.name) }

    /// Finds a scheme by name without regard to case.
    /// - Throws: `QuernError` `.usage` for an unknown name, and for a group size that the scheme cannot have.
    init(_ target: Recipe.CompressedTensorsTarget) throws {
        guard let found = Self.all.first(where: { $0.name == target.scheme.uppercased() }) else {
            throw QuernError(
                .usage, "unknown scheme '\(target.scheme)'",
                remedy: "There are \(Self.names.joined(separator: ", "))")
        }
        guard let group = target.groupSize else {
            self = found
            return
        }
        guard case .packed(let bits, _, let isSymmetric) = found.weights else {
            throw QuernError(.usage, "\(found.name) has no group size to choose", at: "group_size")
        }
        let hasWholeRows = found.storage.layout != .awq
        guard group == 0 ? hasWholeRows : [32, 64, 128].contains(group) else {
            throw QuernError(
                .usage, "no loader knows groups of \(group == 0 ? "whole rows" : "\(group)") in \(found.name)",
                at: "group_size",
                remedy: hasWholeRows ? "Say 32, 64, 128, or 0 for whole rows" : "Say 32, 64 or 128")
        }
        self.init(
            name: found.name, weights: .packed(bits: bits, group: group == 0 ? nil : group, isSymmetric: isSymmetric),
            layout: found.storage.layout, activations: found.activations)
    }

    /// Finds a scheme as targets are called, with the size of its groups: `W4A16_G32`.
    /// - Throws: as `init(_:)`.
    init(named name: String) throws {
        guard case .compressedTensors(let target)? = Recipe.Target(schemeNamed: name), target.goal == nil else {
            throw QuernError(
                .usage, "unknown scheme '\(name)'",
                remedy: "There are \(Self.names.joined(separator: ", ")), and \(Recipe.LayerRule.none)")
        }
        guard target.method == .nearest else {
            throw QuernError(
                .usage, "'\(name)' names a method, and all layers of a target have the same",
                remedy: "Say method beside compressed_tensors")
        }
        try self.init(target)
    }

    /// The name, and the size of groups where it is not the usual one.
    var label: String {
        guard case .packed(_, let group, _) = weights, group != 128 else { return name }
        return "\(name)_\(group.map { "G\($0)" } ?? "CHANNEL")"
    }

    private init(
        name: String, weights: WeightFormat, layout: WeightStorage.Layout = .compressedTensors,
        activations: Activations? = nil
    ) {
        self.name = name
        storage = WeightStorage(weights, layout: layout)
        self.activations = activations
    }
}
