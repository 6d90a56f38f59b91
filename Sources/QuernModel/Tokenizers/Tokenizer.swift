import QuernFormats
import QuernPlanning

/// Text to token ids, as the model was trained to read it: for a checkpoint folder as transformers does it, for a GGUF
/// as llama.cpp does.
public struct Tokenizer: Sendable {
    private let encoder: any TextEncoder
    private let scratches = ScratchPool()

    init(_ encoder: any TextEncoder) { self.encoder = encoder }

    /// One more than the largest id.
    public var vocabularySize: Int { encoder.vocabularySize }

    /// The token put before a text (BOS, [CLS]), where the model's settings add one.
    public var beginsWith: Int32? { encoder.template.prefix.first }

    /// The token put behind a text (EOS, [SEP]), where the model's settings add one.
    public var endsWith: Int32? { encoder.template.suffix.last }

    /// The ids of a text. Special tokens that stand in the text are recognized.
    /// - Parameter addSpecialTokens: whether to put around it what the model's settings put around a text.
    /// - Throws: `QuernError` where a pattern of the tokenizer cannot be matched, or the model has no token for
    ///   something and none for what is unknown.
    public func encode(_ text: some StringProtocol, addSpecialTokens: Bool = false) throws -> [Int32] {
        try encode(utf8: Array(text.utf8), addSpecialTokens: addSpecialTokens)
    }

    /// The ids of a text in UTF-8. Takes time in proportion to the text, on the caller's thread; several threads may
    /// call at once.
    /// - Parameters:
    ///   - utf8: bytes that are no UTF-8 become U+FFFD.
    ///   - addSpecialTokens: whether to put around it what the model's settings put around a text.
    ///   - progress: told the share of a long text that is done, in [0, 1], many times a second on the caller's thread;
    ///     what it throws ends the work and is thrown.
    /// - Throws: `QuernError` `.invalidInput` for more text than `TextBounds.bytes`, and as for other texts.
    public func encode(
        utf8: [UInt8], addSpecialTokens: Bool = false, progress: (Double) throws -> Void = { _ in }
    ) throws -> [Int32] {
        try TextBounds.check(size: UInt64(utf8.count))
        let text = UTF8Text.repaired(utf8)
        let scratch = scratches.take()
        defer { scratches.giveBack(scratch) }
        var ids: [Int32] = []
        ids.reserveCapacity(text.count / 4 + 8)
        if addSpecialTokens { ids += encoder.template.prefix }
        try scratch.telling(progress, of: text.count) {
            try text.withUnsafeBufferPointer { try encoder.encode($0, scratch, into: &ids) }
        }
        if addSpecialTokens { ids += encoder.template.suffix }
        return ids
    }
}
