/// What `quantization_config` of a config.json says of a checkpoint: how the weights of each layer are stored, by
/// compressed-tensors (https://github.com/vllm-project/compressed-tensors) or as one of the other layouts.
public struct QuantizationDescription {
    /// How the weights of a layer are stored.
    public struct Layout: Sendable, Equatable {
        public let storage: WeightStorage
        /// Whether one scale stands for the whole matrix.
        public let hasOneScale: Bool

        public init(_ storage: WeightStorage, hasOneScale: Bool = false) {
            self.storage = storage
            self.hasOneScale = hasOneScale
        }
    }

    /// Layers that are quantized in the same way.
    public struct Group {
        public let name: String
        /// Nil where only activations are rounded.
        public let weights: Layout?
        /// Whether each layer has a scale for what goes into it (`input_global_scale`).
        public let storesInputScale: Bool
        fileprivate let targets: [String]
    }

    /// In the order of the file.
    public let groups: [Group]
    /// Groups of the layers that are targets by name, by expression, and by class.
    private var named: [String: Int] = [:]
    private var expressions: [(pattern: LayerPattern, group: Int)] = []
    private var others: Int?
    private let isIgnored: (String) -> Bool

    /// - Parameter json: the value of `quantization_config`.
    /// - Throws: `QuernError` `.invalidInput` where it contradicts itself, `.usage` for what is no regular expression,
    ///   `.unsupported` for formats that nothing here reads or writes; the location names the member.
    public init(_ json: JSONObject) throws(QuernError) {
        let method = json["quant_method"]?.string ?? "none"
        guard let layout = WeightStorage.Layout(rawValue: method) else {
            throw QuernError(
                .unsupported, "nothing here knows the method \(method.quotedForMessage)", at: "quant_method",
                remedy: "Take the checkpoint it was made from")
        }
        guard layout == .compressedTensors else {
            let (storage, isIgnored) = try Self.other(layout, json)
            groups = [Group(name: method, weights: Layout(storage), storesInputScale: false, targets: ["Linear"])]
            others = 0
            self.isIgnored = isIgnored
            return
        }
        let rotations = json["transform_config"]?.object?["config_groups"]?.object
        guard rotations?.isEmpty ?? true else {
            throw QuernError(.unsupported, "the weights are rotated", at: "transform_config")
        }
        let sparsity = json["sparsity_config"]?.object?["format"]?.string ?? "dense"
        guard sparsity == "dense" else {
            throw QuernError(.unsupported, "weights are sparse (\(sparsity.quotedForMessage))", at: "sparsity_config")
        }
        guard let members = json["config_groups"]?.object, !members.isEmpty else {
            throw QuernError(.invalidInput, "it is missing, empty or no object", at: "config_groups")
        }
        var groups: [Group] = []
        for (name, value) in members.entries {
            do throws(QuernError) {
                let group = try Self.group(name, value, format: json["format"]?.string)
                for target in group.targets {
                    if target.hasPrefix("re:") {
                        expressions.append((try Self.pattern(target, "targets"), groups.count))
                    } else if Self.isName(target) {
                        named[target] = named[target] ?? groups.count
                    } else {
                        others = others ?? groups.count
                    }
                }
                groups.append(group)
            } catch {
                throw error.located(in: "config_groups.\(name.quotedForMessage)")
            }
        }
        self.groups = groups
        let ignored = try Self.texts(json["ignore"], "ignore")
        let names = Set(ignored.filter { !$0.hasPrefix("re:") })
        var patterns: [LayerPattern] = []
        for text in ignored where text.hasPrefix("re:") { patterns.append(try Self.pattern(text, "ignore")) }
        isIgnored = { layer in names.contains(layer) || patterns.contains { $0.matches(layer) } }
    }

    /// What is no expression and no path is the name of a class, such as Linear.
    private static func isName(_ target: String) -> Bool { target.contains(".") || target == "lm_head" }

    /// The group of a linear layer; nil where it is stored as it was. Names come before expressions, and these before
    /// the class, as in transformers and vLLM.
    public func group(of layer: String) -> Group? {
        guard !isIgnored(layer) else { return nil }
        let index = named[layer] ?? expressions.first { $0.pattern.matches(layer) }?.group ?? others
        return index.map { groups[$0] }
    }

    /// Layers that are targets by name.
    public var namedTargets: [String] { named.keys.sorted() }

    private static func group(_ name: String, _ json: JSONValue, format: String?) throws(QuernError) -> Group {
        guard let group = json.object else {
            throw QuernError(.invalidInput, "\(json.kind), an object should be here")
        }
        var weights: Layout?
        if let numbers = group["weights"], !numbers.isNull {
            do throws(QuernError) {
                weights = try layout(
                    numbers.object ?? JSONObject(), format: group["format"]?.string ?? format ?? "none")
            } catch {
                throw error.located(in: "weights")
            }
        }
        return Group(
            name: name, weights: weights,
            storesInputScale: group["input_activations"]?.object?["strategy"]?.string == "tensor_group",
            targets: try texts(group["targets"], "targets"))
    }

    static func texts(_ json: JSONValue?, _ member: String) throws(QuernError) -> [String] {
        guard let json, !json.isNull else { return [] }
        guard let list = json.array else {
            throw QuernError(.invalidInput, "\(json.kind), an array should be here", at: member)
        }
        var texts: [String] = []
        for element in list {
            guard let text = element.string else {
                throw QuernError(.invalidInput, "\(element.kind), a string should be here", at: member)
            }
            texts.append(text)
        }
        return texts
    }

    static func pattern(_ text: String, _ member: String) throws(QuernError) -> LayerPattern {
        do { return try LayerPattern(text) } catch { throw error.located(in: member) }
    }

    private static func layout(_ json: JSONObject, format: String) throws(QuernError) -> Layout {
        let bits = json["num_bits"]?.integer ?? 8
        let type = json["type"]?.string ?? "int"
        let isSymmetric = json["symmetric"]?.bool ?? true
        let size = json["group_size"]?.integer
        let implied = size.map { $0 > 0 ? "group" : "channel" } ?? "tensor"
        let strategy = json["strategy"]?.string ?? implied
        let group = size.flatMap { (2...1 << 20).contains($0) && $0 % 2 == 0 ? Int($0) : nil }
        func layout(_ format: WeightFormat) -> Layout {
            Layout(WeightStorage(format), hasOneScale: strategy == "tensor")
        }
        let isByRow = ["channel", "tensor"].contains(strategy)
        // Bytes were called naive once.
        switch (format, type, bits) {
        case ("pack-quantized", "int", 4), ("pack-quantized", "int", 8):
            if isByRow { return layout(.packed(bits: Int(bits), group: nil, isSymmetric: isSymmetric)) }
            guard strategy == "group", let group else { break }
            return layout(.packed(bits: Int(bits), group: group, isSymmetric: isSymmetric))
        case ("int-quantized", "int", 8), ("naive-quantized", "int", 8):
            if isByRow, isSymmetric { return layout(.integer) }
        case ("float-quantized", "float", 8), ("naive-quantized", "float", 8):
            if isByRow { return layout(.float) }
            let length = Int64(WeightFormat.blockLength)
            guard strategy == "block", json["block_structure"]?.array?.map(\.integer) == [length, length] else {
                break
            }
            return layout(.floatBlocks)
        case ("nvfp4-pack-quantized", "float", 4):
            if group == WeightFormat.nvfp4.group { return layout(.nvfp4) }
        case ("mxfp4-pack-quantized", "float", 4):
            if group == WeightFormat.mxfp4.group { return layout(.mxfp4) }
        default: break
        }
        let groups = group.map { " of \($0)" } ?? ""
        throw QuernError(
            .unsupported,
            "nothing here knows \(format.quotedForMessage) of \(bits)-bit \(type.quotedForMessage), "
                + "\(isSymmetric ? "" : "asymmetric, ")by \(strategy.quotedForMessage)\(groups)",
            remedy: "Take the checkpoint it was made from")
    }
}
