import QuernFormats

/// The tokenizer of a GGUF, from its vocabulary keys, with the ids that llama.cpp gives.
enum GGUFTokenizer {
    /// - Throws: `.unsupported` for vocabularies and splits that are unknown.
    static func encoder(_ metadata: [(key: String, value: GGUFValue)]) throws -> any TextEncoder {
        let vocabulary = try GGUFVocabulary(metadata)
        switch vocabulary.model {
        case "gpt2": return try WordTokenizer.bytePair(vocabulary)
        case "llama": return try PieceTokenizer.merging(vocabulary)
        case "t5": return try PieceTokenizer.unigram(vocabulary)
        case "bert": return try WordTokenizer.wordPiece(vocabulary)
        default:
            throw QuernError(
                .unsupported, "the kind of vocabulary \(vocabulary.model.quotedForMessage) is unknown",
                at: "tokenizer.ggml.model", remedy: "Known are gpt2, llama, t5 and bert")
        }
    }
}

/// A vocabulary over words: special tokens, then text cut by steps.
struct WordTokenizer: TextEncoder {
    let special: SpecialTokens
    let normalizers: [any Normalizer]
    let preTokenizers: [any PreTokenizer]
    let words: WordEncoder
    let template: TextTemplate
    let vocabularySize: Int

    func encode(_ text: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, into ids: inout [Int32]) throws {
        try special.cut(text) { range in
            let part = UnsafeBufferPointer(rebasing: text[range])
            guard !normalizers.isEmpty else { return try feed(part, step: 0, scratch, into: &ids) }
            var normalized = NormalizedText(bytes: Array(part), isFirst: true)
            try normalizers.normalize(&normalized, scratch)
            try normalized.bytes.withUnsafeBufferPointer { try feed($0, step: 0, scratch, into: &ids) }
        } token: {
            ids.append($0)
        }
    }

    private func feed(
        _ piece: UnsafeBufferPointer<UInt8>, step: Int, _ scratch: EncodingScratch, into ids: inout [Int32]
    ) throws {
        guard !piece.isEmpty else { return }
        guard step < preTokenizers.count else { return try words.encode(piece, scratch, into: &ids) }
        try preTokenizers[step].split(piece, isFirst: false, scratch) { part, _ in
            try feed(part, step: step + 1, scratch, into: &ids)
        }
    }

    static func bytePair(_ vocabulary: GGUFVocabulary) throws -> WordTokenizer {
        let key = "tokenizer.ggml.pre"
        let rules: GGUFSplit
        do {
            rules = try GGUFSplit.named(vocabulary.text(key) ?? "default")
        } catch let error as QuernError {
            throw error.located(in: key)
        }
        guard let merges = vocabulary.strings("tokenizer.ggml.merges") else {
            throw QuernError(.invalidInput, "is missing, or no array of strings", at: "tokenizer.ggml.merges")
        }
        let model = try GGUFMergeModel(vocabulary, merges: merges, ignoresMerges: rules.ignoresMerges)
        return WordTokenizer(
            special: vocabulary.specialTokens(), normalizers: [],
            preTokenizers: try rules.patterns.map { PatternSplit(try Regex($0)) },
            words: WordEncoder(model: model, spellsBytes: true),
            template: try vocabulary.template(addsBOS: rules.addsBOS, bos: 11, addsEOS: false, eos: 11),
            vocabularySize: vocabulary.tokens.count)
    }

    /// BERT's, whose tokens GGUF spells with a mark before those that begin a word, and nothing before the others.
    static func wordPiece(_ vocabulary: GGUFVocabulary) throws -> WordTokenizer {
        let lowercases = try vocabulary.bool("tokenizer.ggml.normalizer.lowercase", default: true)
        let model = GGUFWordModel(vocabulary, unknown: vocabulary.id("unknown", default: 100))
        let bos = vocabulary.id("bos", default: 101) ?? vocabulary.id("cls", default: 101)
        let end = vocabulary.id("seperator", default: 102)
        return WordTokenizer(
            special: vocabulary.specialTokens(),
            normalizers: [
                BertNormalizer(
                    cleansText: true, isolatesChinese: true,
                    stripsAccents: try vocabulary.bool(
                        "tokenizer.ggml.normalizer.strip_accents", default: lowercases), lowercases: lowercases)
            ],
            preTokenizers: [
                CharacterSplit(characters: .whitespace, behavior: .removed),
                CharacterSplit(characters: .punctuation, behavior: .isolated),
            ],
            words: WordEncoder(model: model, spellsBytes: false),
            template: TextTemplate(prefix: bos.map { [$0] } ?? [], suffix: end.map { [$0] } ?? []),
            vocabularySize: vocabulary.tokens.count)
    }
}

extension PieceTokenizer {
    /// "llama": BPE by scores.
    static func merging(_ vocabulary: GGUFVocabulary) throws -> PieceTokenizer {
        let model = ScoredMergeModel(
            pieces: Array(zip(vocabulary.tokens, vocabulary.scores)).map { ($0, $1) },
            matches: [Bool](repeating: true, count: vocabulary.tokens.count), unknown: nil)
        return PieceTokenizer(
            special: vocabulary.specialTokens(),
            escaping: SpaceEscaping(
                addsPrefix: try vocabulary.bool("tokenizer.ggml.add_space_prefix", default: true), isPlain: true),
            words: WordEncoder(model: model, spellsBytes: false),
            template: try vocabulary.template(addsBOS: true, bos: 1, addsEOS: false, eos: 2),
            vocabularySize: vocabulary.tokens.count)
    }

    /// "t5": unigram.
    static func unigram(_ vocabulary: GGUFVocabulary) throws -> PieceTokenizer {
        let tokens = vocabulary.tokens
        let normal = tokens.indices.filter { vocabulary.kinds[$0] == .normal }
        let own = tokens.indices.filter { vocabulary.kinds[$0] == .userDefined }
        let model = UnigramModel(
            pieces: tokens.indices.map { id in
                (tokens[id], vocabulary.kinds[id] == .userDefined ? 0 : Double(vocabulary.scores[id]))
            },
            unknown: vocabulary.id("unknown", default: 2), hasByteFallback: false,
            matches: vocabulary.kinds.map { [.normal, .userDefined, .unused].contains($0) },
            worst: normal.map { Double(vocabulary.scores[$0]) }.min())
        let map = vocabulary.bytes("tokenizer.ggml.precompiled_charsmap") ?? []
        return PieceTokenizer(
            special: vocabulary.specialTokens(),
            escaping: SpaceEscaping(
                charsmap: map.isEmpty ? nil : try PrecompiledCharsmap(map),
                untouched: ByteTrie(own.map { (tokens[$0], Int32($0)) }),
                addsPrefix: try vocabulary.bool("tokenizer.ggml.add_space_prefix", default: false),
                removesExtraSpaces: try vocabulary.bool("tokenizer.ggml.remove_extra_whitespaces", default: false),
                isPlain: false),
            words: WordEncoder(model: model, spellsBytes: false),
            template: try vocabulary.template(addsBOS: false, bos: nil, addsEOS: true, eos: 1),
            vocabularySize: tokens.count)
    }
}
