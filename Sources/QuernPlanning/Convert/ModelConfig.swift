import QuernFormats

/// The fields of a `config.json`, with what the classes of transformers 4.52 put where a field is left out.
struct ModelConfig: Sendable {
    /// What a class fills in where its field is missing.
    struct Defaults: Sendable {
        /// Where `num_key_value_heads` is missing; nil stands for the number of heads.
        var keyValueHeads: Int?
        var headSize: HeadSize
        var contextLength: Int
        var ropeTheta: Double = 10_000
        var normEpsilon: Double = 1e-6
        /// Whether norms are LayerNorm, whose ε has other names.
        var hasLayerNorm = false
        var tiedHead: Bool = false
        /// nil stands for a required field.
        var vocabularySize: Int?
        var partialRotaryFactor: Double = 1
        /// nil in a dense model.
        var experts: ExpertConfig.Defaults?
        var hasLatentAttention = false
        /// `rope_local_base_freq`: of layers with a window, where they have a RoPE of their own.
        var localRopeTheta: Double?
    }

    /// What a missing `head_dim` means.
    enum HeadSize: Sendable {
        case fixed(Int)
        /// hidden_size / num_attention_heads, and the class writes the field itself.
        case quotient
        /// hidden_size / num_attention_heads, and the field stays missing.
        case impliedQuotient
        /// hidden_size / num_attention_heads, whatever the field says.
        case ignored
    }

    let fields: JSONObject
    let layers: Int
    let hiddenSize: Int
    let feedForwardSize: Int
    let heads: Int
    let keyValueHeads: Int
    let headSize: Int
    /// Whether `head_dim` is a field of the configuration, as opposed to a quotient that nobody writes down.
    let declaresHeadSize: Bool
    let vocabularySize: Int
    let contextLength: Int
    /// Of RMSNorm, or of LayerNorm where the class has that.
    let normEpsilon: Double
    let hasLayerNorm: Bool
    let tiedHead: Bool
    let rope: RopeParameters
    let localRopeTheta: Double?
    /// How much of a head rotates.
    let partialRotaryFactor: Double
    let experts: ExpertConfig?
    let latentAttention: LatentAttention?

    init(fields: JSONObject, defaults: Defaults) throws {
        self.fields = fields
        layers = try Self.size(fields, "num_hidden_layers", limit: 65_536)
        hiddenSize = try Self.size(fields, "hidden_size")
        feedForwardSize = try Self.size(fields, "intermediate_size")
        heads = try Self.size(fields, "num_attention_heads", limit: 65_536)
        vocabularySize =
            try Self.optionalSize(fields, "vocab_size", limit: 1 << 22) ?? defaults.vocabularySize
            ?? Self.size(fields, "vocab_size")
        contextLength = try Self.size(fields, "max_position_embeddings", missing: defaults.contextLength)
        keyValueHeads = try Self.size(
            fields, "num_key_value_heads",
            missing: fields["num_key_value_heads"] == nil ? defaults.keyValueHeads ?? heads : heads)
        guard heads % keyValueHeads == 0 else {
            throw Self.fault("num_attention_heads (\(heads)) is no multiple of num_key_value_heads (\(keyValueHeads))")
        }
        let stated = try Self.optionalSize(fields, "head_dim")
        switch (stated, defaults.headSize) {
        case (_, .ignored):
            (headSize, declaresHeadSize) = (try Self.quotient(hiddenSize, heads), false)
        case (.some(let size), _), (nil, .fixed(let size)):
            (headSize, declaresHeadSize) = (size, true)
        case (nil, .quotient):
            (headSize, declaresHeadSize) = (try Self.quotient(hiddenSize, heads), true)
        case (nil, .impliedQuotient):
            (headSize, declaresHeadSize) = (try Self.quotient(hiddenSize, heads), false)
        }
        guard headSize % 2 == 0 else { throw Self.fault("a head size of \(headSize) is odd: RoPE needs pairs") }
        hasLayerNorm = defaults.hasLayerNorm
        normEpsilon =
            try hasLayerNorm
            ? Self.number(fields, "layer_norm_eps") ?? Self.number(fields, "norm_epsilon") ?? defaults.normEpsilon
            : Self.number(fields, "rms_norm_eps") ?? defaults.normEpsilon
        tiedHead = try Self.flag(fields, "tie_word_embeddings") ?? defaults.tiedHead
        rope = try RopeParameters(fields: fields, defaultTheta: defaults.ropeTheta)
        localRopeTheta = defaults.localRopeTheta == nil ? nil : rope.localTheta ?? defaults.localRopeTheta
        partialRotaryFactor =
            try Self.number(fields, "partial_rotary_factor")
            ?? rope.partialRotaryFactor ?? defaults.partialRotaryFactor
        guard partialRotaryFactor > 0, partialRotaryFactor <= 1 else {
            throw Self.fault("'partial_rotary_factor' has to be greater than 0 and at most 1")
        }
        if let expertDefaults = defaults.experts {
            experts = try ExpertConfig(fields: fields, defaults: expertDefaults, layers: layers)
        } else {
            experts = nil
        }
        latentAttention = try defaults.hasLatentAttention ? LatentAttention(fields: fields) : nil
    }

    /// - Returns: nil where the field is missing or null.
    func flag(_ key: String) throws -> Bool? { try Self.flag(fields, key) }
    func number(_ key: String) throws -> Double? { try Self.number(fields, key) }
    func optionalSize(_ key: String) throws -> Int? { try Self.optionalSize(fields, key) }
    func size(_ key: String, missing: Int) throws -> Int { try Self.size(fields, key, missing: missing) }

    /// - Returns: `missing` where there is no such field, nil where it is null.
    func number(_ key: String, missing: Double) throws -> Double? {
        fields[key] == nil ? missing : try Self.number(fields, key)
    }

    /// - Returns: nil where the field is missing or null.
    func integer(_ key: String) throws -> Int? {
        guard let value = Self.present(fields, key) else { return nil }
        guard let number = value.integer.flatMap({ Int(exactly: $0) }) else {
            throw Self.fault("'\(key)' has to be an integer")
        }
        return number
    }
}

extension ModelConfig {
    static func fault(_ message: String) -> QuernError {
        QuernError(
            .invalidInput, message, at: "config.json", remedy: "Download the checkpoint again or correct the field")
    }

    /// - Returns: nil where the field is missing or null.
    /// - Throws: where it is there and no positive integer below 2³¹.
    static func optionalSize(_ fields: JSONObject, _ key: String, limit: Int = Int(Int32.max)) throws -> Int? {
        guard let value = present(fields, key) else { return nil }
        guard let number = value.integer, let size = Int(exactly: number), size > 0, size <= limit else {
            throw fault("'\(key)' has to be an integer from 1 to \(limit)")
        }
        return size
    }

    static func size(_ fields: JSONObject, _ key: String, limit: Int = Int(Int32.max)) throws -> Int {
        guard let size = try optionalSize(fields, key, limit: limit) else { throw fault("'\(key)' is missing") }
        return size
    }

    static func size(_ fields: JSONObject, _ key: String, missing: Int) throws -> Int {
        try optionalSize(fields, key) ?? missing
    }

    /// - Returns: nil where the field is missing or null.
    static func number(_ fields: JSONObject, _ key: String) throws -> Double? {
        guard let value = present(fields, key) else { return nil }
        switch value {
        case .integer(let number): return Double(number)
        case .double(let number) where number.isFinite: return number
        default: throw fault("'\(key)' has to be a number")
        }
    }

    /// - Returns: nil where the field is missing or null.
    static func flag(_ fields: JSONObject, _ key: String) throws -> Bool? {
        guard let value = present(fields, key) else { return nil }
        guard let flag = value.bool else { throw fault("'\(key)' has to be true or false") }
        return flag
    }

    static func present(_ fields: JSONObject, _ key: String) -> JSONValue? {
        switch fields[key] {
        case nil, .null: nil
        case .some(let value): value
        }
    }

    private static func quotient(_ hiddenSize: Int, _ heads: Int) throws -> Int {
        guard hiddenSize % heads == 0 else {
            throw fault(
                "hidden_size (\(hiddenSize)) is no multiple of num_attention_heads (\(heads)), and head_dim is missing")
        }
        return hiddenSize / heads
    }
}
