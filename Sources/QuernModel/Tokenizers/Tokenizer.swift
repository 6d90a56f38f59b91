import QuernFormats

/// Text to token ids, as the model was trained to read it.
public struct Tokenizer: Sendable {
    /// One more than the largest id.
    public let vocabularySize: Int
    /// The token put before a text (BOS), where the model's settings add one.
    public let beginsWith: Int32?
    /// The token put behind a text (EOS), where the model's settings add one.
    public let endsWith: Int32?

    /// Opens the tokenizer of a checkpoint folder (tokenizer.json, else tokenizer.model) or of a `.gguf`.
    /// - Throws: `QuernError` naming the file and the entry.
    public static func open(path: String) throws -> Tokenizer {
        throw QuernError(.unsupported, "tokenizers of this kind cannot be read", at: path)
    }

    /// The ids of a text. Special tokens that stand in the text are recognized.
    /// - Parameter addSpecialTokens: whether to put around it what the model's settings put around a text.
    public func encode(_ text: some StringProtocol, addSpecialTokens: Bool = false) throws -> [Int32] {
        try encode(utf8: Array(text.utf8), addSpecialTokens: addSpecialTokens)
    }

    /// - Parameter utf8: bytes that are no UTF-8 become U+FFFD.
    public func encode(utf8: [UInt8], addSpecialTokens: Bool = false) throws -> [Int32] {
        throw QuernError(.unsupported, "tokenizers of this kind cannot be read")
    }
}
