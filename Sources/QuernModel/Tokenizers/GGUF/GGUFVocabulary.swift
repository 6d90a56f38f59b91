import QuernFormats

/// The vocabulary keys of a GGUF.
struct GGUFVocabulary {
    /// `tokenizer.ggml.model`.
    let model: String
    /// By id; none empty.
    let tokens: [[UInt8]]
    let scores: [Float]
    let kinds: [GGUFTokenType]
    private let metadata: [String: GGUFValue]

    private static let maximumTokens = 1 << 24

    /// - Throws: `QuernError` naming the key.
    init(_ metadata: [(key: String, value: GGUFValue)]) throws {
        self.metadata = Dictionary(metadata.map { ($0.key, $0.value) }) { first, _ in first }
        guard let model = self.metadata["tokenizer.ggml.model"]?.text else {
            throw QuernError(
                .notFound, "is missing: the file holds no tokenizer", at: "tokenizer.ggml.model",
                remedy: "Take the tokenizer of the checkpoint this file was made of")
        }
        guard let tokens = self.metadata["tokenizer.ggml.tokens"]?.strings, !tokens.isEmpty,
            tokens.count <= Self.maximumTokens
        else {
            throw QuernError(
                .invalidInput, "is missing, or no array of 1 to \(Self.maximumTokens) strings",
                at: "tokenizer.ggml.tokens")
        }
        self.model = model
        self.tokens = tokens.enumerated().map { $1.utf8.isEmpty ? Array("[EMPTY_\($0)]".utf8) : $1.utf8 }
        scores = try Self.scores(self.metadata["tokenizer.ggml.scores"], count: tokens.count)
        kinds = try Self.kinds(self.metadata["tokenizer.ggml.token_type"], count: tokens.count)
    }

    private static func scores(_ value: GGUFValue?, count: Int) throws -> [Float] {
        switch value {
        case nil: return [Float](repeating: 0, count: count)
        case .array(.float32(let scores)) where scores.count >= count: return Array(scores.prefix(count))
        case .array(.int32(let scores)) where scores.count >= count: return scores.prefix(count).map { Float($0) }
        default:
            throw QuernError(
                .invalidInput, "no array of a number for each of \(count) tokens", at: "tokenizer.ggml.scores")
        }
    }

    private static func kinds(_ value: GGUFValue?, count: Int) throws -> [GGUFTokenType] {
        guard let value else { return [GGUFTokenType](repeating: .normal, count: count) }
        guard case .array(.int32(let kinds)) = value, kinds.count >= count else {
            throw QuernError(
                .invalidInput, "no array of a type for each of \(count) tokens", at: "tokenizer.ggml.token_type")
        }
        return kinds.prefix(count).map { GGUFTokenType(rawValue: $0) ?? .undefined }
    }

    func text(_ key: String) -> String? { metadata[key]?.text }

    func strings(_ key: String) -> [GGUFString]? { metadata[key]?.strings }

    func bytes(_ key: String) -> [UInt8]? {
        switch metadata[key] {
        case .array(.uint8(let bytes)): bytes
        case .array(.int8(let bytes)): bytes.map { UInt8(bitPattern: $0) }
        default: nil
        }
    }

    func bool(_ key: String, default standard: Bool) throws -> Bool {
        guard let value = metadata[key] else { return standard }
        guard case .bool(let bool) = value else {
            throw QuernError(.invalidInput, "\(value), a boolean should be there", at: key)
        }
        return bool
    }

    /// A special token: of the file, else the one its kind of vocabulary has by custom; nil where that is none of the
    /// vocabulary.
    func id(_ name: String, default standard: Int?) -> Int32? {
        let given = metadata["tokenizer.ggml.\(name)_token_id"]?.unsigned.flatMap { Int(exactly: $0) }
        return (given.flatMap { tokens.indices.contains($0) ? $0 : nil } ?? standard)
            .flatMap { tokens.indices.contains($0) ? Int32($0) : nil }
    }

    /// What is looked for in a text before it is cut.
    func specialTokens() -> SpecialTokens {
        let special = tokens.indices.filter { [.control, .userDefined, .unknown].contains(kinds[$0]) }
        // A custom of this one model, known by its name.
        let name = text("general.name")?.lowercased() ?? ""
        var stripping: Set<Int32> = []
        if name.contains("phi-3") || name.contains("phi3") {
            let kept = ["<unk>", "<s>", "<|endoftext|>"].map { Array($0.utf8) }
            stripping = Set(special.filter { !kept.contains(tokens[$0]) }.map { Int32($0) })
        }
        return SpecialTokens(special.map { (tokens[$0], Int32($0)) }, strippingRight: stripping)
    }

    /// - Parameters: what the kind of vocabulary has by custom.
    func template(addsBOS: Bool, bos: Int?, addsEOS: Bool, eos: Int?) throws -> TextTemplate {
        let prefix = try bool("tokenizer.ggml.add_bos_token", default: addsBOS) ? id("bos", default: bos) : nil
        let suffix = try bool("tokenizer.ggml.add_eos_token", default: addsEOS) ? id("eos", default: eos) : nil
        return TextTemplate(prefix: prefix.map { [$0] } ?? [], suffix: suffix.map { [$0] } ?? [])
    }
}
