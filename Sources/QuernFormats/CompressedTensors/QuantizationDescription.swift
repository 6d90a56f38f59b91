/// What `quantization_config` of a config.json says of a compressed-tensors checkpoint: how the weights of each layer are
/// stored (https://github.com/vllm-project/compressed-tensors).
public struct QuantizationDescription {
    /// Layers that are quantized in the same way.
    public struct Group {
        public let name: String
        public let weights: WeightFormat
        /// Whether each layer has a scale for what goes into it (`input_global_scale`).
        public let storesInputScale: Bool
        public let targets: [LayerPattern]
    }

    /// In the order of the file.
    public let groups: [Group]
    public let ignored: [LayerPattern]
    /// Group of each layer that is a target by name, and groups with other targets in the order of their precedence.
    private let named: [String: Int]
    private let expressions: [(pattern: LayerPattern, group: Int)]
    private let linear: Int?
    private let ignoredNames: Set<String>
    private let ignoredExpressions: [LayerPattern]

    /// What targets call all layers that multiply by a matrix.
    private static let linearClass = "Linear"

    /// - Parameter json: the value of `quantization_config`.
    /// - Throws: `QuernError` `.invalidInput` where it contradicts itself, `.unsupported` for formats that nothing here
    ///   stores; the location names the member.
    public init(_ json: JSONObject) throws(QuernError) {
        guard let members = json["config_groups"]?.object, !members.isEmpty else {
            throw QuernError(.invalidInput, "there are no groups", at: "config_groups")
        }
        var groups: [Group] = []
        var named: [String: Int] = [:]
        var expressions: [(pattern: LayerPattern, group: Int)] = []
        var linear: Int?
        for (name, value) in members.entries {
            do throws(QuernError) {
                let group = try Self.group(name, value.object ?? JSONObject(), format: json["format"]?.string)
                for target in group.targets {
                    switch target {
                    case .name(Self.linearClass): linear = linear ?? groups.count
                    case .name(let layer): named[layer] = named[layer] ?? groups.count
                    case .expression: expressions.append((target, groups.count))
                    }
                }
                groups.append(group)
            } catch {
                throw error.located(in: "config_groups.\(name)")
            }
        }
        (self.groups, self.named, self.expressions, self.linear) = (groups, named, expressions, linear)
        ignored = try Self.patterns(json["ignore"], "ignore")
        ignoredNames = Set(ignored.compactMap { if case .name(let name) = $0 { name } else { nil } })
        ignoredExpressions = ignored.filter { if case .expression = $0 { true } else { false } }
    }

    /// The group of a linear layer; nil where it is stored as it was. Names come before expressions, and these before
    /// the class, as in transformers and vLLM.
    public func group(of layer: String) -> Group? {
        guard !ignoredNames.contains(layer), !ignoredExpressions.contains(where: { $0.matches(layer) }) else {
            return nil
        }
        let index = named[layer] ?? expressions.first { $0.pattern.matches(layer) }?.group ?? linear
        return index.map { groups[$0] }
    }

    /// Layers that are targets by name.
    public var namedTargets: [String] { named.keys.sorted() }

    private static func group(_ name: String, _ json: JSONObject, format: String?) throws(QuernError) -> Group {
        guard let weights = json["weights"]?.object else {
            throw QuernError(.invalidInput, "the weights are not described", at: "weights")
        }
        let format = json["format"]?.string ?? format ?? "none"
        let input = json["input_activations"]?.object
        return Group(
            name: name, weights: try self.weights(weights, format: format),
            storesInputScale: input?["strategy"]?.string == "tensor_group",
            targets: try patterns(json["targets"], "targets"))
    }

    private static func patterns(_ json: JSONValue?, _ member: String) throws(QuernError) -> [LayerPattern] {
        guard let json, !json.isNull else { return [] }
        guard let list = json.array else {
            throw QuernError(.invalidInput, "\(json.kind), an array should be here", at: member)
        }
        var patterns: [LayerPattern] = []
        for element in list {
            guard let text = element.string else {
                throw QuernError(.invalidInput, "\(element.kind), a string should be here", at: member)
            }
            do { patterns.append(try LayerPattern(text)) } catch { throw error.located(in: member) }
        }
        return patterns
    }

    private static func weights(_ json: JSONObject, format: String) throws(QuernError) -> WeightFormat {
        let (type, strategy) = (json["type"]?.string ?? "int", json["strategy"]?.string)
        let bits = json["num_bits"]?.integer ?? 8
        let group = json["group_size"]?.integer.flatMap { Int(exactly: $0) }
        let isSymmetric = json["symmetric"]?.bool ?? true
        switch (format, type, bits, strategy) {
        case ("pack-quantized", "int", 4, "group"), ("pack-quantized", "int", 8, "group"):
            guard let group, group > 0 else {
                throw QuernError(.invalidInput, "groups of no size", at: "weights.group_size")
            }
            return .packed(bits: Int(bits), group: group, isSymmetric: isSymmetric)
        case ("pack-quantized", "int", 4, "channel"), ("pack-quantized", "int", 8, "channel"):
            return .packed(bits: Int(bits), group: nil, isSymmetric: isSymmetric)
        case ("int-quantized", "int", 8, "channel") where isSymmetric: return .integer
        case ("float-quantized", "float", 8, "channel"): return .float
        case ("float-quantized", "float", 8, "block")
        where json["block_structure"]?.array?.map(\.integer) == [128, 128]:
            return .floatBlocks
        case ("nvfp4-pack-quantized", "float", 4, "tensor_group") where group == 16: return .nvfp4
        case ("mxfp4-pack-quantized", "float", 4, "group") where group == 32: return .mxfp4
        default:
            throw QuernError(
                .unsupported,
                "weights of \(bits) bits and type \(type.quotedForMessage), by \((strategy ?? "none").quotedForMessage) in "
                    + "\(format.quotedForMessage)", at: "weights")
        }
    }
}
