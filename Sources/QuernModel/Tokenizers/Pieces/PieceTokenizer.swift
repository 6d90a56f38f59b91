import QuernFormats

/// A SentencePiece vocabulary at work, from a tokenizer.model or a GGUF.
struct PieceTokenizer: TextEncoder {
    let special: SpecialTokens
    let escaping: SpaceEscaping
    let words: WordEncoder
    let template: TextTemplate
    let vocabularySize: Int

    func encode(_ text: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        try special.cut(text) { range in
            let escaped = try escaping.escaped(UnsafeBufferPointer(rebasing: text[range]))
            guard !escaped.isEmpty else { return }
            try escaped.withUnsafeBufferPointer { try words.encode($0, scratch, into: &ids) }
        } token: {
            ids.append($0)
        }
    }
}
