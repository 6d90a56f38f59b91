import QuernFormats

extension Fields {
    /// Ids are rows of a matrix; no model has as many.
    private static let maximumID: Int64 = 1 << 24

    /// The `model` of a tokenizer.json.
    func subwordModel() throws -> any SubwordModel {
        switch try optionalString("type") ?? impliedType {
        case "BPE": return try bytePairModel()
        case "Unigram": return try unigramModel()
        case "WordPiece":
            return WordPieceModel(
                tokens: try tokens(), unknownToken: try optionalString("unk_token") ?? "[UNK]",
                prefix: Array((try optionalString("continuing_subword_prefix") ?? "##").utf8),
                maximumCharacters: try optionalInteger("max_input_chars_per_word") ?? 100)
        case "WordLevel":
            return WordLevelModel(tokens: try tokens(), unknownToken: try optionalString("unk_token") ?? "<unk>")
        case let type:
            throw fault("the model \(type.quotedForMessage) is unknown", .unsupported)
        }
    }

    /// Of files that do not name their model.
    private var impliedType: String {
        if object["merges"] != nil { return "BPE" }
        if object["vocab"]?.array != nil { return "Unigram" }
        return object["continuing_subword_prefix"] != nil ? "WordPiece" : "WordLevel"
    }

    private func id(_ value: JSONValue, of token: String) throws -> Int32 {
        guard let id = value.integer, (0..<Self.maximumID).contains(id) else {
            throw fault("the id of the token \(token.quotedForMessage) is no integer from 0 to \(Self.maximumID - 1)")
        }
        return Int32(id)
    }

    private func tokens() throws -> [(token: [UInt8], id: Int32)] {
        guard let vocabulary = try optionalObject("vocab") else { throw fault("'vocab' is missing") }
        return try vocabulary.object.entries.map { (Array($0.key.utf8), try vocabulary.id($0.value, of: $0.key)) }
    }

    private func bytePairModel() throws -> BytePairModel {
        let tokens = try tokens()
        let vocabulary = ByteTable(tokens)
        let prefix = Array((try optionalString("continuing_subword_prefix") ?? "").utf8)
        guard let entries = try optionalArray("merges") else { throw fault("'merges' is missing") }
        var merges: [BytePairModel.Merge] = []
        merges.reserveCapacity(entries.count)
        for (index, entry) in entries.enumerated() {
            if entry.string?.hasPrefix("#version") == true { continue }
            guard let (left, right) = Self.halves(entry) else {
                throw fault("merge \(index) is neither two tokens nor two tokens in one string")
            }
            guard right.count >= prefix.count else { throw fault("merge \(index) has a half shorter than the prefix") }
            let made = left + right.dropFirst(prefix.count)
            func id(_ token: [UInt8]) throws -> Int32 {
                guard let id = vocabulary[token] else {
                    let shown = String(decoding: token, as: UTF8.self).quotedForMessage
                    throw fault("merge \(index) needs the token \(shown), which 'vocab' lacks")
                }
                return id
            }
            merges.append(.init(left: try id(left), right: try id(right), made: try id(made), text: made))
        }
        return BytePairModel(
            tokens: tokens, merges: merges,
            settings: .init(
                unknownToken: try optionalString("unk_token"), fusesUnknown: try bool("fuse_unk", default: false),
                hasByteFallback: try bool("byte_fallback", default: false),
                ignoresMerges: try bool("ignore_merges", default: false), prefix: prefix,
                suffix: Array((try optionalString("end_of_word_suffix") ?? "").utf8)))
    }

    private static func halves(_ value: JSONValue) -> ([UInt8], [UInt8])? {
        switch value {
        case .string(let text):
            let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            return parts.count == 2 ? (Array(parts[0]), Array(parts[1])) : nil
        case .array(let parts):
            guard parts.count == 2, let left = parts[0].string, let right = parts[1].string else { return nil }
            return (Array(left.utf8), Array(right.utf8))
        default:
            return nil
        }
    }

    private func unigramModel() throws -> UnigramModel {
        guard let entries = try optionalArray("vocab") else { throw fault("'vocab' is missing") }
        guard entries.count < Self.maximumID else { throw fault("'vocab' has \(entries.count) entries") }
        let pieces = try entries.enumerated().map { index, entry -> (text: [UInt8], score: Double) in
            guard let pair = entry.array, pair.count == 2, let text = pair[0].string, let score = pair[1].double else {
                throw fault("entry \(index) of 'vocab' is no pair of a token and a score")
            }
            return (Array(text.utf8), score.asSerdeReadsIt)
        }
        let unknown = try optionalInteger("unk_id")
        if let unknown, !pieces.indices.contains(unknown) {
            throw fault("'unk_id' is \(unknown), but the vocabulary has \(pieces.count) tokens")
        }
        return UnigramModel(
            pieces: pieces, unknown: unknown.map { Int32($0) },
            hasByteFallback: try bool("byte_fallback", default: false))
    }
}
