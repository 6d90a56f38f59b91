import QuernFormats

/// What tokenizers of all kinds come to: tokens by id, with their types and scores or merges.
struct Vocabulary: Sendable, Equatable {
    /// `tokenizer.ggml.model`: "gpt2" for BPE over bytes, "llama" for SentencePiece.
    let model: String
    /// `tokenizer.ggml.pre`.
    let preTokenizer: String
    var tokens: [GGUFString]
    var types: [GGUFTokenType]
    /// Of "llama".
    var scores: [Float]?
    /// Of "gpt2".
    var merges: [GGUFString]?

    /// Model, pre-tokenizer and what belongs to every token.
    var keys: [(key: String, value: GGUFValue)] {
        var keys: [(key: String, value: GGUFValue)] = [
            ("tokenizer.ggml.model", .string(GGUFString(model))),
            ("tokenizer.ggml.pre", .string(GGUFString(preTokenizer))),
            ("tokenizer.ggml.tokens", .array(.string(tokens))),
        ]
        if let scores { keys.append(("tokenizer.ggml.scores", .array(.float32(scores)))) }
        keys.append(("tokenizer.ggml.token_type", .array(.int32(types.map(\.rawValue)))))
        if let merges { keys.append(("tokenizer.ggml.merges", .array(.string(merges)))) }
        return keys
    }
}

/// Tokens on their way to their ids.
struct TokenSlots {
    private let file: String
    private(set) var tokens: [GGUFString?]
    private(set) var types: [GGUFTokenType]

    /// - Parameters:
    ///   - size: `vocab_size`: the rows of the embeddings.
    ///   - file: what to name in messages.
    init(size: Int, file: String) {
        self.file = file
        tokens = [GGUFString?](repeating: nil, count: size)
        types = [GGUFTokenType](repeating: .unused, count: size)
    }

    /// - Throws: where the id lies beyond the vocabulary, or belongs to another token already.
    mutating func put(_ token: String, id: Int, type: GGUFTokenType) throws {
        try check(id, of: token)
        guard tokens[id] == nil else {
            throw QuernError(
                .invalidInput,
                "the tokens \(tokens[id]?.text.quotedForMessage ?? "") and \(token.quotedForMessage) both have the id \(id)",
                at: file, remedy: "Download the tokenizer again")
        }
        set(token, id: id, type: type)
    }

    /// Writes over whatever has the id.
    mutating func replace(_ token: String, id: Int, type: GGUFTokenType) throws {
        try check(id, of: token)
        set(token, id: id, type: type)
    }

    private mutating func set(_ token: String, id: Int, type: GGUFTokenType) {
        tokens[id] = GGUFString(token)
        types[id] = type
    }

    private func check(_ id: Int, of token: String) throws {
        guard tokens.indices.contains(id) else {
            throw QuernError(
                .invalidInput,
                "the token \(token.quotedForMessage) has the id \(id), but vocab_size in config.json is \(tokens.count)",
                at: file, remedy: "Take the tokenizer that belongs to these weights")
        }
    }

    /// All tokens; ids without one get a name that no text contains.
    var filled: [GGUFString] {
        tokens.enumerated().map { id, token in token ?? GGUFString("[PAD\(id)]") }
    }
}

enum AddedTokenStyle {
    /// Tokens that tokenizers in the wild forgot to mark as special.
    static func looksSpecial(_ token: String) -> Bool {
        ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(token)
            || (token.hasPrefix("<|") && token.hasSuffix("|>"))
            || (token.hasPrefix("<｜") && token.hasSuffix("｜>"))
            || (token.hasPrefix("<unused") && token.hasSuffix(">"))
    }

    /// The type of an added token, and its text: llama.cpp looks for user-defined tokens in the text as it is, in
    /// which a space is a space.
    static func resolve(_ token: String, special: Bool) -> (text: String, type: GGUFTokenType) {
        if special || looksSpecial(token) { return (token, .control) }
        return (token.replacing(scalar: "\u{2581}", with: " "), .userDefined)
    }
}

extension String {
    /// Replaces one code point wherever it stands, also where it is part of a larger character, as in CR LF.
    func replacing(scalar: Unicode.Scalar, with text: String) -> String {
        guard unicodeScalars.contains(scalar) else { return self }
        var result = String.UnicodeScalarView()
        for found in unicodeScalars {
            if found == scalar { result.append(contentsOf: text.unicodeScalars) } else { result.append(found) }
        }
        return String(result)
    }
}
