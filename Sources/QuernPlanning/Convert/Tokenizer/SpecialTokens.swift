import QuernFormats

/// Which tokens begin, end, separate and pad a text, and whether a tokenizer adds them by itself.
///
/// The sources, in the order in which they win: the names in tokenizer_config.json, looked up among the added tokens
/// of tokenizer.json; then the ids in config.json. Whether a token is added follows from the template in
/// tokenizer.json, and only where that says nothing from tokenizer_config.json.
struct SpecialTokens {
    /// In the order in which they were found.
    private(set) var ids: [(kind: Kind, id: Int)] = []
    /// In the order in which they were found.
    private(set) var added: [(kind: Kind, value: Bool)] = []
    /// Tokens by name, after the template had its say.
    private var names: [Kind: String] = [:]

    enum Kind: String, CaseIterable {
        case bos, eos, unk, sep, pad, cls, mask, eot, eom

        /// What tokenizer_config.json is asked for; the others only come up where EOS is not what it says.
        static let declared: [Kind] = [.bos, .eos, .unk, .sep, .pad, .cls, .mask]

        var key: String {
            let name =
                switch self {
                case .unk: "unknown"
                case .sep: "seperator"
                case .pad: "padding"
                default: rawValue
                }
            return "tokenizer.ggml.\(name)_token_id"
        }
    }

    /// - Parameters:
    ///   - file: tokenizer.json; nil where there is only a tokenizer.model.
    ///   - settings: tokenizer_config.json.
    ///   - config: config.json.
    ///   - size: tokens in the vocabulary.
    ///   - known: see `TokenizerStyle.specialTokens`.
    init(
        file: TokenizerFile?, settings: JSONObject?, config: JSONObject, size: Int,
        known: [(kind: Kind, token: String)] = []
    ) throws {
        for kind in Kind.declared { names[kind] = settings.flatMap { Self.name(kind, in: $0) } }
        if names[.bos] == nil { names[.bos] = names[.cls] }
        if names[.eos] == nil { names[.eos] = names[.sep] }
        if let processor = file?.postProcessor { apply(processor, named: settings != nil) }

        let kinds = Kind.declared + [.eot, .eom].filter { names[$0] != nil }
        for kind in kinds {
            if let value = settings?["add_\(kind.rawValue)_token"]?.bool { note(kind, adds: value, isFinal: false) }
            if let name = names[kind], let id = file?.addedID(of: name) { note(kind, id: id) }
        }
        for kind in kinds {
            guard let id = config["\(kind.rawValue)_token_id"]?.integer else { continue }
            if let id = Int(exactly: id), (0..<size).contains(id) {
                note(kind, id: id)
            } else if kind == .bos || kind == .eos {
                throw QuernError(
                    .invalidInput, "'\(kind.rawValue)_token_id' is \(id), but the vocabulary has \(size) tokens",
                    at: "config.json", remedy: "Take the tokenizer that belongs to these weights")
            }
            // Padding beyond the vocabulary is common, and nothing is lost without it.
        }
        for (kind, token) in known {
            if let id = file?.addedID(of: token) { note(kind, id: id) }
        }
    }

    var keys: [(key: String, value: GGUFValue)] {
        // There are keys for adding these three only.
        let additions = added.filter { [.bos, .eos, .sep].contains($0.kind) }
        return ids.map { ($0.kind.key, .uint32(UInt32($0.id))) }
            + additions.map { ("tokenizer.ggml.add_\($0.kind.rawValue)_token", .bool($0.value)) }
    }

    /// The tokens that tokenizer_config.json names: special wherever they stand in the vocabulary.
    static func declaredNames(_ settings: JSONObject?) -> [String] {
        guard let settings else { return [] }
        return Kind.declared.compactMap { name($0, in: settings) }
    }

    /// A token in tokenizer_config.json is a string, or an object with the string.
    private static func name(_ kind: Kind, in settings: JSONObject) -> String? {
        let value = settings["\(kind.rawValue)_token"]
        let name = value?.string ?? value?.object?["content"]?.string
        return name?.isEmpty == true ? nil : name
    }

    private mutating func note(_ kind: Kind, id: Int) {
        if !ids.contains(where: { $0.kind == kind }) { ids.append((kind, id)) }
    }

    /// - Parameter isFinal: whether it stands against what was noted before.
    private mutating func note(_ kind: Kind, adds value: Bool, isFinal: Bool) {
        if let index = added.firstIndex(where: { $0.kind == kind }) {
            if isFinal { added[index].value = value }
        } else {
            added.append((kind, value))
        }
    }
}

extension SpecialTokens {
    /// - Parameter named: whether there is a tokenizer_config.json to name BOS and EOS; without it they are what the
    ///   template has first and last.
    private mutating func apply(_ processor: JSONObject, named: Bool) {
        let steps = processor["processors"]?.array?.compactMap(\.object) ?? [processor]
        for step in steps {
            switch step["type"]?.string {
            case "RobertaProcessing":
                for kind in [Kind.bos, .eos, .sep] { note(kind, adds: true, isFinal: true) }
            case "ByteLevel":
                for kind in [Kind.bos, .eos] { note(kind, adds: false, isFinal: false) }
            case "TemplateProcessing":
                applyTemplate(
                    single: Self.pieces(step["single"]), pair: Self.pieces(step["pair"]), named: named)
            default:
                break
            }
        }
    }

    /// A piece of a template.
    private enum Piece: Equatable {
        case token(String)
        case sequence(String)
        case other

        var token: String? {
            if case .token(let name) = self { name } else { nil }
        }
    }

    private static func pieces(_ value: JSONValue?) -> [Piece] {
        (value?.array ?? []).map { item in
            if let name = item.object?["SpecialToken"]?.object?["id"]?.string { return .token(name) }
            if let name = item.object?["Sequence"]?.object?["id"]?.string { return .sequence(name) }
            return .other
        }
    }

    private mutating func applyTemplate(single: [Piece], pair: [Piece], named: Bool) {
        var first: String?
        var last: String?
        if single.count > 1 {
            first = single.first?.token
            last = single.last?.token
        }
        if let first {
            if !named { names[.bos] = first }
            note(.bos, adds: first == names[.bos] || first == names[.cls], isFinal: true)
        }
        if let last {
            if last != names[.eos] {
                // What ends a text by itself is EOS; what was called so ends a turn.
                if named, let former = names[.eos] {
                    if names[.eot] == nil { names[.eot] = former } else if names[.eom] == nil { names[.eom] = former }
                }
                names[.eos] = last
            }
            note(.eos, adds: true, isFinal: true)
        }
        applyPair(pair, first: first, last: last)
    }

    /// Between A and B of a pair stands a separator, or what else the template has there.
    private mutating func applyPair(_ pair: [Piece], first: String?, last: String?) {
        var inner = pair[...]
        if let first, inner.first == .token(first) { inner = inner.dropFirst() }
        if let last, inner.last == .token(last) { inner = inner.dropLast() }
        guard inner.count > 2, inner.first == .sequence("A"), inner.last == .sequence("B") else { return }
        let between = Array(inner.dropFirst().dropLast())
        func separates(_ piece: Piece) -> Bool {
            guard let token = piece.token else { return false }
            return token == names[.sep] || token == names[.eos]
        }
        let adds = (separates(between[0]) && last == nil) || (between.count == 2 && separates(between[1]))
        note(.sep, adds: adds, isFinal: true)
        if adds, names[.sep] == nil { names[.sep] = names[.eos] }
    }
}
