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
        var rmsNormEpsilon: Double = 1e-6
        var tiedHead: Bool = false
    }

    /// What a missing `head_dim` means.
    enum HeadSize: Sendable {
        case fixed(Int)
        /// hidden_size / num_attention_heads, and the class writes the field itself.
        case quotient
        /// hidden_size / num_attention_heads, and the field stays missing.
        case impliedQuotient
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
    let rmsNormEpsilon: Double
    let tiedHead: Bool
    let rope: RopeParameters

    init(fields: JSONObject, defaults: Defaults) throws {
        self.fields = fields
        layers = try Self.size(fields, "num_hidden_layers", limit: 65_536)
        hiddenSize = try Self.size(fields, "hidden_size")
        feedForwardSize = try Self.size(fields, "intermediate_size")
        heads = try Self.size(fields, "num_attention_heads")
        vocabularySize = try Self.size(fields, "vocab_size", limit: 1 << 22)
        contextLength = try Self.size(fields, "max_position_embeddings", missing: defaults.contextLength)
        keyValueHeads = try Self.size(
            fields, "num_key_value_heads",
            missing: fields["num_key_value_heads"] == nil ? defaults.keyValueHeads ?? heads : heads)
        guard heads % keyValueHeads == 0 else {
            throw Self.fault("num_attention_heads (\(heads)) is no multiple of num_key_value_heads (\(keyValueHeads))")
        }
        let stated = try Self.optionalSize(fields, "head_dim")
        switch (stated, defaults.headSize) {
        case (.some(let size), _), (nil, .fixed(let size)):
            (headSize, declaresHeadSize) = (size, true)
        case (nil, .quotient):
            (headSize, declaresHeadSize) = (try Self.quotient(hiddenSize, heads), true)
        case (nil, .impliedQuotient):
            (headSize, declaresHeadSize) = (try Self.quotient(hiddenSize, heads), false)
        }
        guard headSize % 2 == 0 else { throw Self.fault("a head size of \(headSize) is odd: RoPE needs pairs") }
        rmsNormEpsilon = try Self.number(fields, "rms_norm_eps") ?? defaults.rmsNormEpsilon
        tiedHead = try Self.flag(fields, "tie_word_embeddings") ?? defaults.tiedHead
        rope = try RopeParameters(fields: fields, defaultTheta: defaults.ropeTheta)
    }

    /// - Returns: nil where the field is missing or null.
    func flag(_ key: String) throws -> Bool? { try Self.flag(fields, key) }
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
