import QuernFormats

/// A tokenizer.json at work, step by step as the tokenizers library does it: added tokens, normalizers, added tokens that
/// are looked for in normalized text, pre-tokenizers, the model.
struct HubTokenizer: TextEncoder {
    private let rawTokens: AddedTokens
    private let normalizedTokens: AddedTokens
    private let normalizers: [any Normalizer]
    private let preTokenizers: [any PreTokenizer]
    private let words: WordEncoder
    let template: TextTemplate
    let vocabularySize: Int

    /// Each step is called by the one before it. Tokenizers have been seen with four.
    private static let maximumSteps = 64

    /// - Throws: `QuernError` at the entry of the file that is wrong or unknown.
    init(_ json: JSONObject) throws {
        let file = Fields(json, at: "")
        guard let model = try file.optionalObject("model") else { throw file.fault("there is no 'model'") }
        let subwords = try model.subwordModel()
        normalizers = try file.optionalObject("normalizer")?.normalizers() ?? []
        var steps = try file.optionalObject("pre_tokenizer")?.preTokenizers() ?? []
        guard steps.count <= Self.maximumSteps else {
            throw QuernError(
                .invalidInput, "\(steps.count) steps, at most \(Self.maximumSteps) are allowed", at: "'pre_tokenizer'")
        }
        // The last step need not be done to words that the cache knows.
        let spellsBytes = steps.last is ByteLevelStep
        if spellsBytes { steps.removeLast() }
        preTokenizers = steps
        words = WordEncoder(model: subwords, spellsBytes: spellsBytes)
        template = try file.optionalObject("post_processor")?.textTemplate() ?? TextTemplate()
        let added = try Self.addedTokens(file, model: subwords)
        rawTokens = AddedTokens(added.filter { !$0.isNormalized })
        let normalizers = normalizers
        normalizedTokens = AddedTokens(
            try added.filter(\.isNormalized).map { token in
                var text = NormalizedText(bytes: token.content, isFirst: true)
                let scratch = EncodingScratch()
                try normalizers.normalize(&text, scratch)
                var token = token
                token.content = text.bytes
                return token
            })
        let largest = added.reduce(subwords.largestID) { max($0, $1.id) }
        vocabularySize = Int(max(largest, (template.prefix + template.suffix).max() ?? -1)) + 1
    }

    /// Tokens that the model has keep its ids; the others are numbered on from its vocabulary, whatever ids the file
    /// says: so does the tokenizers library.
    private static func addedTokens(_ file: Fields, model: any SubwordModel) throws -> [AddedTokens.Token] {
        var tokens: [AddedTokens.Token] = []
        var known = ByteTable()
        var next = Int32(clamping: model.vocabularyCount)
        for entry in try file.objects("added_tokens") {
            let content = Array(try entry.string("content").utf8)
            if content.isEmpty { continue }
            let isSpecial = try entry.bool("special", default: false)
            let earlier = known[content]
            let id: Int32
            if let former = earlier.map({ tokens[Int($0)].id }) ?? model.vocabulary[content] {
                id = former
            } else {
                id = next
                next += 1
            }
            let token = AddedTokens.Token(
                content: content, id: id, isSpecial: isSpecial,
                isSingleWord: try entry.bool("single_word", default: false),
                stripsLeft: try entry.bool("lstrip", default: false),
                stripsRight: try entry.bool("rstrip", default: false),
                isNormalized: try entry.bool("normalized", default: !isSpecial))
            if let earlier {
                tokens[Int(earlier)] = token
            } else {
                known.set(content, Int32(tokens.count))
                tokens.append(token)
            }
        }
        return tokens
    }

    func encode(_ text: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        try rawTokens.cut(text) { range in
            let part = UnsafeBufferPointer(rebasing: text[range])
            guard !normalizers.isEmpty else {
                return try cutNormalized(part, isFirst: range.lowerBound == 0, scratch, into: &ids)
            }
            var normalized = NormalizedText(bytes: Array(part), isFirst: range.lowerBound == 0)
            try normalizers.normalize(&normalized, scratch)
            try normalized.bytes.withUnsafeBufferPointer {
                try cutNormalized($0, isFirst: normalized.isFirst, scratch, into: &ids)
            }
        } token: {
            ids.append($0)
        }
    }

    private func cutNormalized(
        _ text: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ scratch: EncodingScratch, into ids: inout [Int32]
    ) throws {
        let growth = TextGrowth(of: text.count, by: preTokenizers.count, at: "pre_tokenizer")
        scratch.handedOn = 0
        try normalizedTokens.cut(text) { range in
            try feed(
                UnsafeBufferPointer(rebasing: text[range]), step: 0, isFirst: isFirst && range.lowerBound == 0, growth,
                scratch, into: &ids)
        } token: {
            ids.append($0)
        }
    }

    /// Every piece goes through all steps before the next one is cut off, so that nothing is kept but ids.
    private func feed(
        _ piece: UnsafeBufferPointer<UInt8>, step: Int, isFirst: Bool, _ growth: TextGrowth,
        _ scratch: EncodingScratch, into ids: inout [Int32]
    ) throws {
        guard !piece.isEmpty else { return }
        guard step < preTokenizers.count else { return try words.encode(piece, scratch, into: &ids) }
        try preTokenizers[step].split(piece, isFirst: isFirst, scratch) { part, isFirst in
            // Two steps can double what the other makes.
            scratch.handedOn += part.count
            try growth.check(scratch.handedOn)
            try feed(part, step: step + 1, isFirst: isFirst, growth, scratch, into: &ids)
        }
    }
}
