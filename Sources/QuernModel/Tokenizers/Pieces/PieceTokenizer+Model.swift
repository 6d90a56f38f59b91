import QuernFormats
import QuernPlanning

extension PieceTokenizer {
    /// How far behind the pieces the ids of added tokens may lie.
    private static let maximumAddedTokens = 1 << 16

    /// The tokenizer of a `tokenizer.model`.
    /// - Parameter settings: tokenizer_config.json: added tokens, and whether BOS and EOS are put around a text.
    /// - Throws: `.unsupported` for models of words or characters, `.invalidInput` for ids far beyond the pieces.
    init(_ model: SentencePieceModel, settings: JSONObject?) throws {
        var pieces = model.pieces.map { (text: $0.text, score: $0.score, kind: $0.kind) }
        var special: [(text: [UInt8], id: Int32)] = []
        for (id, piece) in pieces.enumerated() where [.control, .unknown, .userDefined].contains(piece.kind) {
            if !piece.text.isEmpty { special.append((piece.text, Int32(id))) }
        }
        let fields = Fields(settings ?? JSONObject(), at: "")
        for (key, value) in try fields.optionalObject("added_tokens_decoder")?.object.entries ?? [] {
            guard let id = Int32(key), let text = value.object?["content"]?.string, !text.isEmpty else { continue }
            guard (0..<model.pieces.count + Self.maximumAddedTokens).contains(Int(id)) else {
                throw QuernError(
                    .invalidInput,
                    "the added token \(text.quotedForMessage) has the id \(id), and the model has "
                        + "\(model.pieces.count) pieces", at: "'added_tokens_decoder'",
                    remedy: "Take the tokenizer_config.json that belongs to this tokenizer.model")
            }
            special.append((Array(text.utf8), id))
            while pieces.count <= Int(id) { pieces.append((text: [], score: 0, kind: .unused)) }
        }
        let normalization = model.normalization
        let hasMap = !normalization.charsmap.isEmpty
        escaping = SpaceEscaping(
            charsmap: hasMap ? try PrecompiledCharsmap(normalization.charsmap) : nil,
            addsPrefix: normalization.addsSpacePrefix, removesExtraSpaces: normalization.removesExtraSpaces,
            isPlain: !hasMap && !normalization.removesExtraSpaces)
        self.special = SpecialTokens(special)
        let unknown = model.pieces.firstIndex { $0.kind == .unknown }.map { Int32($0) }
        let matches = pieces.map { [.normal, .userDefined].contains($0.kind) && !$0.text.isEmpty }
        switch model.algorithm {
        case .bytePair:
            words = WordEncoder(
                model: ScoredMergeModel(
                    pieces: pieces.map { ($0.text, $0.score) }, matches: matches, unknown: unknown),
                spellsBytes: false)
        case .unigram:
            let worst = pieces.indices.filter { matches[$0] }.map { Double(pieces[$0].score) }.min()
            words = WordEncoder(
                model: UnigramModel(
                    pieces: pieces.map { ($0.text, $0.kind == .userDefined ? 0 : Double($0.score)) }, unknown: unknown,
                    hasByteFallback: pieces.contains { $0.kind == .byte }, matches: matches, worst: worst),
                spellsBytes: false)
        case .word, .character:
            throw QuernError(.unsupported, "the model cuts text into whole words or single characters")
        }
        template = try Self.template(fields, pieces: model.pieces)
        vocabularySize = pieces.count
    }

    /// BOS is put before a text unless the settings say no; EOS behind it where they say so.
    private static func template(_ settings: Fields, pieces: [SentencePieceModel.Piece]) throws -> TextTemplate {
        func id(_ name: String) -> [Int32] {
            let bytes = Array(name.utf8)
            return pieces.firstIndex { $0.kind == .control && $0.text == bytes }.map { [Int32($0)] } ?? []
        }
        let addsBOS = try settings.bool("add_bos_token", default: true)
        let addsEOS = try settings.bool("add_eos_token", default: false)
        let bos = id("<s>")
        return TextTemplate(
            prefix: addsBOS ? (bos.isEmpty ? id("<bos>") : bos) : [], suffix: addsEOS ? id("</s>") + id("<eos>") : [])
    }
}
