import QuernFormats

extension Vocabulary {
    /// The vocabulary of a BPE over bytes ("gpt2").
    /// - Parameters:
    ///   - size: `vocab_size` of config.json.
    ///   - specialNames: what tokenizer_config.json names as BOS, EOS and so on: control tokens wherever they stand.
    ///   - splits: see `TokenizerStyle`.
    static func byteLevel(
        _ file: TokenizerFile, size: Int, specialNames: [String], splits: [String: String] = [:]
    ) throws -> Vocabulary {
        var slots = TokenSlots(size: size, file: TokenizerFile.fileName)
        for (token, value) in file.vocabulary.entries {
            try slots.put(token, id: try id(value, of: token), type: .normal)
        }
        for name in specialNames {
            guard let value = file.vocabulary[name] else { continue }
            try slots.replace(name, id: try id(value, of: name), type: .control)
        }
        try addTokens(of: file, to: &slots)
        let split = try PreTokenizer.name(of: file)
        return Vocabulary(
            model: "gpt2", preTokenizer: splits[split] ?? split, tokens: slots.filled, types: slots.types,
            merges: try mergeTexts(file))
    }

    /// The id of an entry of `model.vocab`.
    static func id(_ value: JSONValue, of token: String) throws -> Int {
        guard let id = value.integer.flatMap({ Int(exactly: $0) }), id >= 0 else {
            throw TokenizerFile.fault("the id of the token \(token.quotedForMessage) is no integer from 0 on")
        }
        return id
    }

    private static func addTokens(of file: TokenizerFile, to slots: inout TokenSlots) throws {
        for added in file.addedTokens {
            let written = added.normalized ? added.content : ByteAlphabet.decoded(added.content)
            let (text, type) = AddedTokenStyle.resolve(written, special: added.special)
            if let value = file.vocabulary[added.content] {
                let id = try id(value, of: added.content)
                guard id == added.id else {
                    throw TokenizerFile.fault(
                        "the token \(added.content.quotedForMessage) has the id \(id) in 'model.vocab' and \(added.id) in 'added_tokens'"
                    )
                }
                try slots.replace(text, id: id, type: type)
            } else {
                try slots.put(text, id: added.id, type: type)
            }
        }
    }

    /// "left right" for every merge. A space inside a half, which only hand-made vocabularies have, is spelled as
    /// byte-level BPE spells it.
    private static func mergeTexts(_ file: TokenizerFile) throws -> [GGUFString] {
        guard !file.merges.isEmpty else {
            throw TokenizerFile.fault("'model.merges' is missing or empty: llama.cpp cannot use such a tokenizer")
        }
        return try file.merges.enumerated().map { index, value in
            let (left, right) = try merge(value, at: index, in: file)
            return GGUFString(
                left.replacing(scalar: " ", with: "\u{120}") + " " + right.replacing(scalar: " ", with: "\u{120}"))
        }
    }

    /// The halves of a merge, known to be tokens, as is what they make.
    static func merge(_ value: JSONValue, at index: Int, in file: TokenizerFile) throws -> (String, String) {
        guard let (left, right) = halves(value) else {
            throw TokenizerFile.fault("merge \(index) is neither two tokens nor two tokens in one string")
        }
        for token in [left, right, left + right] where file.vocabulary[token] == nil {
            throw TokenizerFile.fault(
                "merge \(index) (\(left.quotedForMessage) and \(right.quotedForMessage)) needs the token \(token.quotedForMessage), which 'model.vocab' lacks"
            )
        }
        return (left, right)
    }

    private static func halves(_ value: JSONValue) -> (String, String)? {
        switch value {
        case .string(let text):
            let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard parts.count == 2, let left = String(parts[0]), let right = String(parts[1]) else { return nil }
            return (left, right)
        case .array(let parts):
            guard parts.count == 2, let left = parts[0].string, let right = parts[1].string else { return nil }
            return (left, right)
        default:
            return nil
        }
    }
}
