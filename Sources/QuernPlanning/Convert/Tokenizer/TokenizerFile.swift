import QuernFormats

/// A `tokenizer.json`, as far as a GGUF needs it.
struct TokenizerFile: Sendable {
    static let fileName = "tokenizer.json"

    struct AddedToken: Sendable, Equatable {
        let id: Int
        let content: String
        let special: Bool
        /// Whether the text is normalized before the token is looked for in it.
        let normalized: Bool
    }

    enum Kind: Sendable, Equatable {
        /// BPE over bytes, spelled as letters.
        case byteLevel
        /// BPE over characters: what SentencePiece makes.
        case sentencePiece
    }

    let kind: Kind
    /// From token to id, in the order of the file.
    let vocabulary: JSONObject
    let merges: [JSONValue]
    /// Whether whole words that are tokens are taken before any merge.
    let ignoresMerges: Bool
    /// Whether characters without a token are spelled in tokens for their bytes.
    let hasByteFallback: Bool
    /// The token for what has none.
    let unknownToken: String?
    let addedTokens: [AddedToken]
    let preTokenizer: JSONObject?
    let postProcessor: JSONObject?

    init(_ json: JSONObject) throws {
        guard let model = json["model"]?.object else { throw Self.fault("there is no 'model'") }
        let type = model["type"]?.string ?? "BPE"
        guard type == "BPE" else {
            throw QuernError(
                .unsupported, "the tokenizer is of type \(type.quotedForMessage), not BPE", at: Self.fileName,
                remedy: "A GGUF of any kind works as a source")
        }
        guard let vocabulary = model["vocab"]?.object, !vocabulary.isEmpty else {
            throw Self.fault("'model.vocab' is missing, empty or no object")
        }
        self.vocabulary = vocabulary
        merges = model["merges"]?.array ?? []
        ignoresMerges = model["ignore_merges"]?.bool ?? false
        unknownToken = model["unk_token"]?.string
        hasByteFallback = model["byte_fallback"]?.bool ?? false
        kind = !hasByteFallback && Self.decodesBytes(json["decoder"]?.object) ? .byteLevel : .sentencePiece
        preTokenizer = json["pre_tokenizer"]?.object
        postProcessor = json["post_processor"]?.object
        addedTokens = try (json["added_tokens"]?.array ?? []).map(Self.addedToken)
    }

    private static func decodesBytes(_ decoder: JSONObject?) -> Bool {
        let steps = decoder?["decoders"]?.array?.map(\.object) ?? [decoder]
        return steps.contains { $0?["type"]?.string == "ByteLevel" }
    }

    private static func addedToken(_ value: JSONValue) throws -> AddedToken {
        guard let fields = value.object, let content = fields["content"]?.string, !content.isEmpty else {
            throw fault("an entry of 'added_tokens' has no content")
        }
        guard let id = fields["id"]?.integer.flatMap({ Int(exactly: $0) }), id >= 0 else {
            throw fault("the added token \(content.quotedForMessage) has no id")
        }
        let special = fields["special"]?.bool ?? false
        return AddedToken(
            id: id, content: content, special: special, normalized: fields["normalized"]?.bool ?? !special)
    }

    static func fault(_ message: String) -> QuernError {
        QuernError(.invalidInput, message, at: fileName, remedy: "Download the tokenizer again")
    }

    /// The id of an added token: where special tokens are looked up.
    func addedID(of content: String) -> Int? {
        addedTokens.first { $0.content.utf8.elementsEqual(content.utf8) }?.id
    }
}
