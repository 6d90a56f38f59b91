import QuernFormats

extension Vocabulary {
    /// The score of tokens that no merge makes: last of all.
    private static let addedScore: Float = -1000

    /// The vocabulary of a `tokenizer.model` ("llama").
    /// - Parameters:
    ///   - size: `vocab_size` of config.json.
    ///   - added: added_tokens.json: from token to id.
    ///   - decoder: `added_tokens_decoder` of tokenizer_config.json: from id to token; it has the last word.
    static func sentencePiece(
        _ model: SentencePieceModel, size: Int, added: JSONObject?, decoder: JSONObject?
    ) throws -> Vocabulary {
        guard model.pieces.count <= size else {
            throw QuernError(
                .invalidInput, "holds \(model.pieces.count) pieces, but vocab_size in config.json is \(size)",
                at: "tokenizer.model", remedy: "Take the tokenizer that belongs to these weights")
        }
        // Rows of the embeddings beyond the pieces have names that no text contains, and the lowest score.
        var tokens = model.pieces.map { GGUFString(utf8: $0.text) }
        tokens += (tokens.count..<size).map { GGUFString("[PAD\($0)]") }
        var types = model.pieces.map { GGUFTokenType($0.kind) }
        types += [GGUFTokenType](repeating: .unused, count: size - types.count)
        var scores = model.pieces.map(\.score)
        scores += [Float](repeating: -10_000, count: size - scores.count)

        func put(_ text: String, id: Int, type: GGUFTokenType, file: String) throws {
            guard tokens.indices.contains(id) else {
                throw QuernError(
                    .invalidInput,
                    "the token \(text.quotedForMessage) has the id \(id), but vocab_size in config.json is \(size)",
                    at: file, remedy: "Take the tokenizer that belongs to these weights")
            }
            (tokens[id], types[id], scores[id]) = (GGUFString(text), type, addedScore)
        }
        for (text, value) in added?.entries ?? [] {
            guard let id = value.integer.flatMap({ Int(exactly: $0) }) else {
                throw QuernError(
                    .invalidInput, "the id of \(text.quotedForMessage) is no integer", at: "added_tokens.json")
            }
            try put(text, id: id, type: .userDefined, file: "added_tokens.json")
        }
        for (key, value) in decoder?.entries ?? [] {
            guard let id = Int(key), let content = value.object?["content"]?.string else {
                throw QuernError(
                    .invalidInput,
                    "the entry \(key.quotedForMessage) of 'added_tokens_decoder' is no id with a content",
                    at: "tokenizer_config.json")
            }
            let special = value.object?["special"]?.bool ?? false
            let (text, type) = AddedTokenStyle.resolve(content, special: special)
            try put(text, id: id, type: type, file: "tokenizer_config.json")
        }
        return Vocabulary(model: "llama", preTokenizer: "default", tokens: tokens, types: types, scores: scores)
    }

    /// The vocabulary of a `tokenizer.json` that SentencePiece once made, where tokenizer.model is missing ("llama").
    ///
    /// Scores follow from the merges, as they do in a tokenizer.model: minus the rank of the first merge that makes the
    /// token. (The reference converter gives all tokens the same score, with which no text is split as it should be.)
    static func byteFallback(_ file: TokenizerFile, size: Int) throws -> Vocabulary {
        guard file.hasByteFallback else {
            throw QuernError(
                .unsupported, "the tokenizer works neither on bytes nor falls back on them", at: TokenizerFile.fileName,
                remedy: "Fetch tokenizer.model, if the checkpoint has one; a GGUF of any kind works as a source")
        }
        var slots = TokenSlots(size: size, file: TokenizerFile.fileName)
        for (token, value) in file.vocabulary.entries {
            let id = try id(value, of: token)
            let isUnknown = file.unknownToken.map { $0.utf8.elementsEqual(token.utf8) } ?? false
            try slots.put(token, id: id, type: isUnknown ? .unknown : isByteToken(token) ? .byte : .normal)
        }
        var scores = try mergeScores(file, size: size)
        var rank = Float(file.merges.count)
        for id in 0..<size where scores[id] == nil && slots.types[id] == .normal {
            // Single characters: behind all merges, in the order of their ids.
            scores[id] = -rank
            rank += 1
        }
        for added in file.addedTokens {
            let (text, type) = AddedTokenStyle.resolve(added.content, special: added.special)
            if file.vocabulary[added.content] == nil {
                try slots.put(text, id: added.id, type: type)
            } else {
                try slots.replace(text, id: added.id, type: type)
            }
            scores[added.id] = addedScore
        }
        let filled = zip(scores, slots.types).map { score, type in score ?? (type == .unused ? -10_000 : 0) }
        return Vocabulary(
            model: "llama", preTokenizer: "default", tokens: slots.filled, types: slots.types, scores: filled)
    }

    private static func mergeScores(_ file: TokenizerFile, size: Int) throws -> [Float?] {
        var scores = [Float?](repeating: nil, count: size)
        for (rank, value) in file.merges.enumerated() {
            let (left, right) = try merge(value, at: rank, in: file)
            guard let made = file.vocabulary[left + right] else { continue }
            let id = try id(made, of: left + right)
            if scores[id] == nil { scores[id] = -Float(rank) }
        }
        return scores
    }

    /// `<0x0A>`.
    private static func isByteToken(_ token: String) -> Bool {
        let bytes = Array(token.utf8)
        return bytes.count == 6 && token.hasPrefix("<0x") && token.hasSuffix(">")
            && UInt8(String(decoding: bytes[3..<5], as: UTF8.self), radix: 16) != nil
    }
}

extension GGUFTokenType {
    /// User-defined pieces of a model are normal tokens to llama.cpp, unless they are among the added tokens.
    init(_ kind: SentencePieceModel.Kind) {
        self =
            switch kind {
            case .normal, .userDefined: .normal
            case .unknown: .unknown
            case .control: .control
            case .unused: .unused
            case .byte: .byte
            }
    }
}
