import QuernFormats
import Yams

/// The YAML form of a recipe, read node by node so that every complaint names its line.
extension Recipe {
    /// - Parameter name: what to call the text in messages: usually the path of the file.
    /// - Throws: `QuernError` `.usage` where the text is no recipe, `.unsupported` for keys of things to come.
    public init(yaml: String, name: String = "recipe") throws {
        guard let root = try YAMLText.compose(yaml, name: name) else {
            throw QuernError(.usage, "the recipe is empty", at: name)
        }
        let fields = try RecipeFields<Key>(root, file: name)
        self.init(
            source: try fields.required(.source).text(),
            name: try fields[.name]?.text(),
            targets: try fields.required(.targets).list().map(Target.init(yaml:)),
            imatrix: try fields[.imatrix]?.text(),
            calibration: try fields[.calibration].map(Calibration.init(yaml:)),
            encoder: try fields[.encoder]?.encoder(),
            measurement: try fields[.measurement].map(Measurement.init(yaml:)),
            sensitivity: try fields[.sensitivity]?.text(),
            evaluation: try fields[.evaluation].map(Evaluation.init(yaml:)),
            forward: try fields[.forward]?.forward(),
            split: try fields[.split].map(SplitLimits.init(yaml:)),
            allowRequantize: try fields[.allowRequantize]?.flag() ?? false,
            includeWeights: try fields[.includeWeights]?.list().map { try $0.text() } ?? [],
            excludeWeights: try fields[.excludeWeights]?.list().map { try $0.text() } ?? [],
            pruneLayers: try fields[.pruneLayers]?.list().map { try $0.index() } ?? [],
            overrides: try fields[.overrides]?.list().map { try $0.metadataOverride() } ?? [])
    }

    /// The recipe as YAML; reading it gives an equal recipe. Rules that can never match, because an earlier one has
    /// the same pattern, are left out.
    public func yaml() throws -> String {
        var root: [(Node, Node)] = [("source", source.node)]
        if let name { root.append(("name", name.node)) }
        root.append(("targets", Node(targets.map(\.node))))
        if let imatrix { root.append(("imatrix", imatrix.node)) }
        if let calibration { root.append(("calibration", calibration.node)) }
        if let encoder { root.append(("encoder", encoder.rawValue.node)) }
        if let measurement { root.append(("measurement", measurement.node)) }
        if let sensitivity { root.append(("sensitivity", sensitivity.node)) }
        if let evaluation { root.append(("evaluation", evaluation.node)) }
        if let forward { root.append(("forward", forward.rawValue.node)) }
        if let split { root.append(("split", split.node)) }
        if allowRequantize { root.append(("allow_requantize", Node("true"))) }
        if !includeWeights.isEmpty { root.append(("include_weights", Node(includeWeights.map(\.node)))) }
        if !excludeWeights.isEmpty { root.append(("exclude_weights", Node(excludeWeights.map(\.node)))) }
        if !pruneLayers.isEmpty { root.append(("prune_layers", Node(pruneLayers.map { Node(String($0)) }))) }
        if !overrides.isEmpty { root.append(("override_kv", Node(overrides.map(\.description.node)))) }
        return try Yams.serialize(node: Node(root))
    }
}

extension Recipe.Target {
    fileprivate init(yaml value: RecipeValue) throws {
        let fields = try RecipeFields<Key>(value)
        guard let scheme = fields[.compressedTensors] else {
            try fields.refuse(Key.ofCompressedTensors, of: .gguf)
            self.init(
                gguf: try Self.preset(fields),
                pure: try fields[.pure]?.flag() ?? false,
                tensors: try fields[.tensors]?.tensorRules() ?? [],
                outputTensorType: try fields[.outputTensorType]?.elementType(),
                tokenEmbeddingType: try fields[.tokenEmbeddingType]?.elementType(),
                leaveOutputTensor: try fields[.leaveOutputTensor]?.flag() ?? false,
                method: try fields[.method]?.method() ?? .nearest)
            return
        }
        try fields.refuse([.gguf] + Key.ofGGUF, of: .compressedTensors)
        let (name, goal) = (try scheme.text(), try Self.goal(fields))
        self.init(
            compressedTensors: goal.map { "\(name):\($0)" } ?? name, groupSize: try fields[.groupSize]?.index(),
            method: try fields[.method]?.method() ?? .nearest,
            ignore: try fields[.ignore]?.list().map { try $0.text() } ?? [],
            layers: try fields[.layers]?.layerRules() ?? [])
    }

    /// A preset, or a size in its place.
    private static func preset(_ fields: RecipeFields<Key>) throws -> String {
        guard let goal = try goal(fields) else { return try fields.required(.gguf).text() }
        try fields.refuse([.gguf], of: fields[.size] == nil ? .bpw : .size)
        return goal
    }

    /// A size, as targets are called.
    private static func goal(_ fields: RecipeFields<Key>) throws -> String? {
        if let size = fields[.size] {
            try fields.refuse([.bpw], of: .size)
            return "size:\(try size.text())"
        }
        return try fields[.bpw].map { "bpw:\(try $0.text())" }
    }

    fileprivate var node: Node {
        switch self {
        case .gguf(let target): target.node
        case .compressedTensors(let target): target.node
        }
    }
}

extension Recipe.GGUFTarget {
    fileprivate var node: Node {
        var fields: [(Node, Node)] = [("gguf", preset.node)]
        if pure { fields.append(("pure", Node("true"))) }
        if !tensors.isEmpty {
            var seen: Set<String> = []
            let rules = tensors.filter { seen.insert($0.pattern).inserted }
            fields.append(("tensors", Node(rules.map { ($0.pattern.node, $0.type.description.node) })))
        }
        if let outputTensorType { fields.append(("output_tensor_type", outputTensorType.description.node)) }
        if let tokenEmbeddingType { fields.append(("token_embedding_type", tokenEmbeddingType.description.node)) }
        if leaveOutputTensor { fields.append(("leave_output_tensor", Node("true"))) }
        if method != .nearest { fields.append(("method", method.rawValue.node)) }
        return Node(fields)
    }
}

extension Recipe.CompressedTensorsTarget {
    fileprivate var node: Node {
        var fields: [(Node, Node)] = [("compressed_tensors", sizedScheme.node)]
        if let groupSize { fields.append(("group_size", Node(String(groupSize)))) }
        if method != .nearest { fields.append(("method", method.rawValue.node)) }
        if !ignore.isEmpty { fields.append(("ignore", Node(ignore.map(\.node)))) }
        if !layers.isEmpty {
            var seen: Set<String> = []
            let rules = layers.filter { seen.insert($0.pattern).inserted }
            fields.append(("layers", Node(rules.map { ($0.pattern.node, $0.scheme.node) })))
        }
        return Node(fields)
    }
}

extension Recipe.Calibration {
    fileprivate init(yaml value: RecipeValue) throws {
        let fields = try RecipeFields<Key>(value)
        self.init(
            text: try fields.required(.text).text(),
            chunkTokens: try fields[.chunkTokens]?.count() ?? Self.usualChunkTokens,
            chunks: try fields[.chunks]?.count(), processOutput: try fields[.processOutput]?.flag() ?? false,
            gram: try fields[.gram].flatMap(Recipe.GramLimits.init(yaml:)))
    }

    fileprivate var node: Node {
        var fields: [(Node, Node)] = [("text", text.node), ("chunk_tokens", Node(String(chunkTokens)))]
        if let chunks { fields.append(("chunks", Node(String(chunks)))) }
        if processOutput { fields.append(("process_output", Node("true"))) }
        if let gram { fields.append(("gram", gram.node)) }
        return Node(fields)
    }
}

extension Recipe.GramLimits {
    /// `true` for the usual limits, `false` for no matrices, or the limits.
    fileprivate init?(yaml value: RecipeValue) throws {
        if case .scalar = value.node {
            guard try value.flag() else { return nil }
            self.init()
            return
        }
        let fields = try RecipeFields<Key>(value)
        self.init(
            maxBlock: try fields[.maxBlock]?.count() ?? Self.usualMaxBlock,
            budget: try fields[.budget]?.bytes() ?? Self.usualBudget)
    }

    fileprivate var node: Node {
        guard self != Self() else { return Node("true") }
        let fields: [(Node, Node)] = [("max_block", Node(String(maxBlock))), ("budget", Node(String(budget)))]
        return Node(fields)
    }
}

extension Recipe.Evaluation {
    fileprivate init(yaml value: RecipeValue) throws {
        let fields = try RecipeFields<Key>(value)
        self.init(
            text: try fields.required(.text).text(),
            chunkTokens: try fields[.chunkTokens]?.count() ?? Recipe.Calibration.usualChunkTokens,
            chunks: try fields[.chunks]?.count())
    }

    fileprivate var node: Node {
        var fields: [(Node, Node)] = [("text", text.node), ("chunk_tokens", Node(String(chunkTokens)))]
        if let chunks { fields.append(("chunks", Node(String(chunks)))) }
        return Node(fields)
    }
}

extension Recipe.Measurement {
    fileprivate init(yaml value: RecipeValue) throws {
        let fields = try RecipeFields<Key>(value)
        self.init(
            chunks: try fields[.chunks]?.count() ?? Self.usualChunks,
            layers: try fields[.layers]?.count() ?? Self.usualLayers)
    }

    fileprivate var node: Node {
        let fields: [(Node, Node)] = [("chunks", Node(String(chunks))), ("layers", Node(String(layers)))]
        return Node(fields)
    }
}

extension Recipe.SplitLimits {
    fileprivate init(yaml value: RecipeValue) throws {
        let fields = try RecipeFields<Key>(value)
        self.init(
            maxBytes: try fields[.maxBytes]?.bytes(), maxTensors: try fields[.maxTensors]?.count(),
            keep: try fields[.keep]?.flag() ?? false)
    }

    fileprivate var node: Node {
        var fields: [(Node, Node)] = []
        if let maxBytes { fields.append(("max_size", Node(String(maxBytes)))) }
        if let maxTensors { fields.append(("max_tensors", Node(String(maxTensors)))) }
        if keep { fields.append(("keep", Node("true"))) }
        return Node(fields)
    }
}

extension String {
    /// Quoted, so that a name such as `no` or `1e3` stays text.
    fileprivate var node: Node { Node(self, Tag(.str), .doubleQuoted) }
}
