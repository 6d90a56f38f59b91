import QuernFormats

/// The JSON form of a recipe: the keys of the YAML form. What is left out has its usual value, unknown keys are
/// refused, and keys of things to come are named as such.
extension Recipe: Codable {
    enum Key: String, RecipeKey {
        case source, name, targets, imatrix, calibration, encoder, measurement, sensitivity, evaluation, forward, split
        case allowRequantize = "allow_requantize"
        case includeWeights = "include_weights"
        case excludeWeights = "exclude_weights"
        case pruneLayers = "prune_layers"
        case overrides = "override_kv"
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            source: try container.decode(String.self, forKey: .source),
            name: try container.decodeIfPresent(String.self, forKey: .name),
            targets: try container.decode([Target].self, forKey: .targets),
            imatrix: try container.decodeIfPresent(String.self, forKey: .imatrix),
            calibration: try container.decodeIfPresent(Calibration.self, forKey: .calibration),
            encoder: try container.decodeIfPresent(BlockEncoder.self, forKey: .encoder),
            measurement: try container.decodeIfPresent(Measurement.self, forKey: .measurement),
            sensitivity: try container.decodeIfPresent(String.self, forKey: .sensitivity),
            evaluation: try container.decodeIfPresent(Evaluation.self, forKey: .evaluation),
            forward: try container.decodeIfPresent(ForwardDevice.self, forKey: .forward),
            split: try container.decodeIfPresent(SplitLimits.self, forKey: .split),
            allowRequantize: try container.decodeIfPresent(Bool.self, forKey: .allowRequantize) ?? false,
            includeWeights: try container.decodeIfPresent([String].self, forKey: .includeWeights) ?? [],
            excludeWeights: try container.decodeIfPresent([String].self, forKey: .excludeWeights) ?? [],
            pruneLayers: try container.decodeIfPresent([Int].self, forKey: .pruneLayers) ?? [],
            overrides: try container.decodeIfPresent([MetadataOverride].self, forKey: .overrides) ?? [])
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(source, forKey: .source)
        try container.encodeIfPresent(name, forKey: .name)
        try container.encode(targets, forKey: .targets)
        try container.encodeIfPresent(imatrix, forKey: .imatrix)
        try container.encodeIfPresent(calibration, forKey: .calibration)
        try container.encodeIfPresent(self.encoder, forKey: .encoder)
        try container.encodeIfPresent(measurement, forKey: .measurement)
        try container.encodeIfPresent(sensitivity, forKey: .sensitivity)
        try container.encodeIfPresent(evaluation, forKey: .evaluation)
        try container.encodeIfPresent(forward, forKey: .forward)
        try container.encodeIfPresent(split, forKey: .split)
        if allowRequantize { try container.encode(true, forKey: .allowRequantize) }
        if !includeWeights.isEmpty { try container.encode(includeWeights, forKey: .includeWeights) }
        if !excludeWeights.isEmpty { try container.encode(excludeWeights, forKey: .excludeWeights) }
        if !pruneLayers.isEmpty { try container.encode(pruneLayers, forKey: .pruneLayers) }
        if !overrides.isEmpty { try container.encode(overrides, forKey: .overrides) }
    }
}

extension Recipe.Target: Codable {
    enum Key: String, RecipeKey {
        case gguf, pure, tensors
        case outputTensorType = "output_tensor_type"
        case tokenEmbeddingType = "token_embedding_type"
        case leaveOutputTensor = "leave_output_tensor"
        case compressedTensors = "compressed_tensors"
        case groupSize = "group_size"
        case method, ignore, layers, size, bpw
        static let planned: Set<String> = []
        /// What only one kind of target has.
        static let ofGGUF: [Key] = [.pure, .tensors, .outputTensorType, .tokenEmbeddingType, .leaveOutputTensor]
        static let ofCompressedTensors: [Key] = [.groupSize, .ignore, .layers]
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        guard let scheme = try container.decodeIfPresent(String.self, forKey: .compressedTensors) else {
            try Self.refuse(Key.ofCompressedTensors, of: "gguf", in: container)
            self.init(
                gguf: try Self.preset(in: container),
                pure: try container.decodeIfPresent(Bool.self, forKey: .pure) ?? false,
                tensors: try Self.rules(in: container, .tensors, Recipe.TensorRule.init(pattern:type:)),
                outputTensorType: try container.decodeIfPresent(ElementType.self, forKey: .outputTensorType),
                tokenEmbeddingType: try container.decodeIfPresent(ElementType.self, forKey: .tokenEmbeddingType),
                leaveOutputTensor: try container.decodeIfPresent(Bool.self, forKey: .leaveOutputTensor) ?? false,
                method: try container.decodeIfPresent(Recipe.Method.self, forKey: .method) ?? .nearest)
            return
        }
        try Self.refuse([.gguf] + Key.ofGGUF, of: Key.compressedTensors.rawValue, in: container)
        let goal = try Self.goal(in: container)
        self.init(
            compressedTensors: goal.map { "\(scheme):\($0)" } ?? scheme,
            groupSize: try container.decodeIfPresent(Int.self, forKey: .groupSize),
            method: try container.decodeIfPresent(Recipe.Method.self, forKey: .method) ?? .nearest,
            ignore: try container.decodeIfPresent([String].self, forKey: .ignore) ?? [],
            layers: try Self.rules(in: container, .layers, Recipe.LayerRule.init(pattern:scheme:)))
    }

    /// A preset, or a size in its place.
    private static func preset(in container: KeyedDecodingContainer<Key>) throws -> String {
        guard let goal = try goal(in: container) else { return try container.decode(String.self, forKey: .gguf) }
        try refuse([.gguf], of: container.contains(.size) ? Key.size.rawValue : Key.bpw.rawValue, in: container)
        return goal
    }

    /// A size, as targets are called.
    private static func goal(in container: KeyedDecodingContainer<Key>) throws -> String? {
        if container.contains(.size) {
            try refuse([.bpw], of: Key.size.rawValue, in: container)
            return "size:\(try container.decode(String.self, forKey: .size))"
        }
        return try container.decodeIfPresent(Double.self, forKey: .bpw).map { "bpw:\($0)" }
    }

    private static func refuse(
        _ keys: [Key], of kind: String, in container: KeyedDecodingContainer<Key>
    ) throws {
        guard let key = keys.first(where: container.contains) else { return }
        throw DecodingError.dataCorruptedError(
            forKey: key, in: container, debugDescription: "a target with '\(kind)' has no '\(key.rawValue)'")
    }

    /// Rules are a list of objects; a single one may also be {pattern: value}. JSON objects have no order, and the
    /// order of rules matters, so an object of several is refused.
    private static func rules<Rule: Decodable, Value: Decodable>(
        in container: KeyedDecodingContainer<Key>, _ key: Key, _ rule: (String, Value) -> Rule
    ) throws -> [Rule] {
        guard container.contains(key) else { return [] }
        guard let object = try? container.decode([String: Value].self, forKey: key) else {
            return try container.decode([Rule].self, forKey: key)
        }
        guard object.count < 2 else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: container,
                debugDescription: "the first matching rule wins: give several as a list of objects")
        }
        return object.map { rule($0.key, $0.value) }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .gguf(let target):
            try container.encode(target.preset, forKey: .gguf)
            if target.pure { try container.encode(true, forKey: .pure) }
            if !target.tensors.isEmpty { try container.encode(target.tensors, forKey: .tensors) }
            try container.encodeIfPresent(target.outputTensorType, forKey: .outputTensorType)
            try container.encodeIfPresent(target.tokenEmbeddingType, forKey: .tokenEmbeddingType)
            if target.leaveOutputTensor { try container.encode(true, forKey: .leaveOutputTensor) }
            if target.method != .nearest { try container.encode(target.method, forKey: .method) }
        case .compressedTensors(let target):
            try container.encode(target.sizedScheme, forKey: .compressedTensors)
            try container.encodeIfPresent(target.groupSize, forKey: .groupSize)
            if target.method != .nearest { try container.encode(target.method, forKey: .method) }
            if !target.ignore.isEmpty { try container.encode(target.ignore, forKey: .ignore) }
            if !target.layers.isEmpty { try container.encode(target.layers, forKey: .layers) }
        }
    }
}

extension Recipe.TensorRule: Codable {
    enum Key: String, RecipeKey {
        case pattern, type
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            pattern: try container.decode(String.self, forKey: .pattern),
            type: try container.decode(ElementType.self, forKey: .type))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(pattern, forKey: .pattern)
        try container.encode(type, forKey: .type)
    }
}

extension Recipe.LayerRule: Codable {
    enum Key: String, RecipeKey {
        case pattern, scheme
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            pattern: try container.decode(String.self, forKey: .pattern),
            scheme: try container.decode(String.self, forKey: .scheme))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(pattern, forKey: .pattern)
        try container.encode(scheme, forKey: .scheme)
    }
}

extension Recipe.Calibration: Codable {
    enum Key: String, RecipeKey {
        case text, chunks, gram
        case chunkTokens = "chunk_tokens"
        case processOutput = "process_output"
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            text: try container.decode(String.self, forKey: .text),
            chunkTokens: try container.decodeIfPresent(Int.self, forKey: .chunkTokens) ?? Self.usualChunkTokens,
            chunks: try container.decodeIfPresent(Int.self, forKey: .chunks),
            processOutput: try container.decodeIfPresent(Bool.self, forKey: .processOutput) ?? false,
            gram: try Self.gram(in: container))
    }

    /// `true` stands for the usual limits, `false` for no matrices.
    private static func gram(in container: KeyedDecodingContainer<Key>) throws -> Recipe.GramLimits? {
        if let flag = try? container.decodeIfPresent(Bool.self, forKey: .gram) {
            return flag ? Recipe.GramLimits() : nil
        }
        return try container.decodeIfPresent(Recipe.GramLimits.self, forKey: .gram)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(text, forKey: .text)
        try container.encode(chunkTokens, forKey: .chunkTokens)
        try container.encodeIfPresent(chunks, forKey: .chunks)
        if processOutput { try container.encode(true, forKey: .processOutput) }
        if let gram {
            if gram == Recipe.GramLimits() {
                try container.encode(true, forKey: .gram)
            } else {
                try container.encode(gram, forKey: .gram)
            }
        }
    }
}

extension Recipe.GramLimits: Codable {
    enum Key: String, RecipeKey {
        case maxBlock = "max_block"
        case budget
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            maxBlock: try container.decodeIfPresent(Int.self, forKey: .maxBlock) ?? Self.usualMaxBlock,
            budget: try container.bytes(forKey: .budget) ?? Self.usualBudget)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(maxBlock, forKey: .maxBlock)
        try container.encode(budget, forKey: .budget)
    }
}

extension Recipe.Evaluation: Codable {
    enum Key: String, RecipeKey {
        case text, chunks
        case chunkTokens = "chunk_tokens"
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            text: try container.decode(String.self, forKey: .text),
            chunkTokens: try container.decodeIfPresent(Int.self, forKey: .chunkTokens)
                ?? Recipe.Calibration.usualChunkTokens,
            chunks: try container.decodeIfPresent(Int.self, forKey: .chunks))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(text, forKey: .text)
        try container.encode(chunkTokens, forKey: .chunkTokens)
        try container.encodeIfPresent(chunks, forKey: .chunks)
    }
}

extension Recipe.Measurement: Codable {
    enum Key: String, RecipeKey {
        case chunks, layers
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            chunks: try container.decodeIfPresent(Int.self, forKey: .chunks) ?? Self.usualChunks,
            layers: try container.decodeIfPresent(Int.self, forKey: .layers) ?? Self.usualLayers)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(chunks, forKey: .chunks)
        try container.encode(layers, forKey: .layers)
    }
}

extension Recipe.SplitLimits: Codable {
    enum Key: String, RecipeKey {
        case maxBytes = "max_size"
        case maxTensors = "max_tensors"
        case keep
        static let planned: Set<String> = []
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(of: Key.self)
        self.init(
            maxBytes: try container.bytes(forKey: .maxBytes),
            maxTensors: try container.decodeIfPresent(Int.self, forKey: .maxTensors),
            keep: try container.decodeIfPresent(Bool.self, forKey: .keep) ?? false)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encodeIfPresent(maxBytes, forKey: .maxBytes)
        try container.encodeIfPresent(maxTensors, forKey: .maxTensors)
        if keep { try container.encode(true, forKey: .keep) }
    }
}

extension KeyedDecodingContainer {
    /// A number of bytes, or text such as `5GB`; nil where there is none.
    fileprivate func bytes(forKey key: Key) throws -> UInt64? {
        guard contains(key) else { return nil }
        if let number = try? decode(UInt64.self, forKey: key) { return number }
        return try ByteCount.parse(try decode(String.self, forKey: key))
    }
}

/// The keys that one object of a recipe may have.
protocol RecipeKey: CodingKey, CaseIterable, RawRepresentable<String> {
    /// Keys that are part of the recipe format and that nothing here acts on yet.
    static var planned: Set<String> { get }
}

extension RecipeKey {
    /// Why a key is refused; nil where it is known.
    static func refusal(of key: String, at place: String) -> QuernError? {
        if Self(stringValue: key) != nil { return nil }
        if planned.contains(key) {
            return QuernError(.unsupported, "'\(key)' is not yet supported", at: place, remedy: "Leave it out")
        }
        return QuernError(
            .usage, "unknown key '\(key)'", at: place,
            remedy: "Known are: \(allCases.map(\.rawValue).joined(separator: ", "))")
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension Decoder {
    /// A keyed container that has no other keys than those of `Keys`.
    func strictContainer<Keys: RecipeKey>(of keys: Keys.Type) throws -> KeyedDecodingContainer<Keys> {
        let place = codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        let present = try container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
        for key in present {
            if let refusal = Keys.refusal(of: key, at: place) { throw refusal }
        }
        return try container(keyedBy: keys)
    }
}
