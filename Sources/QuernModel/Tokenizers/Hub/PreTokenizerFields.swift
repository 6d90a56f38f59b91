import QuernFormats

extension Fields {
    private static let maximumDepth = 16

    /// The steps of a `pre_tokenizer`, sequences laid out flat.
    func preTokenizers(depth: Int = 0) throws -> [any PreTokenizer] {
        let type = try string("type")
        switch type {
        case "Sequence":
            guard depth < Self.maximumDepth else { throw fault("sequences nested too deep") }
            return try objects("pretokenizers").flatMap { try $0.preTokenizers(depth: depth + 1) }
        case "ByteLevel":
            var steps: [any PreTokenizer] = []
            if try bool("add_prefix_space", default: true) { steps.append(SpacePrefixStep()) }
            if try bool("use_regex", default: true) { steps.append(PatternSplit(try Regex(PatternSplit.wordsOfGPT2))) }
            return steps + [ByteLevelStep()]
        case "Split":
            let behavior = try splitBehavior(default: nil)
            let isInverted = try bool("invert", default: false)
            switch try pattern() {
            case .text(let text): return [TextSplit(text: text, behavior: behavior, isInverted: isInverted)]
            case .regex(let regex): return [PatternSplit(regex, behavior, isInverted: isInverted)]
            }
        case "Digits":
            let behavior: SplitBehavior = try bool("individual_digits", default: false) ? .isolated : .contiguous
            return [CharacterSplit(characters: .numeric, behavior: behavior)]
        case "Punctuation":
            return [CharacterSplit(characters: .punctuation, behavior: try splitBehavior(default: .isolated))]
        case "BertPreTokenizer":
            return [
                CharacterSplit(characters: .whitespace, behavior: .removed),
                CharacterSplit(characters: .punctuation, behavior: .isolated),
            ]
        case "WhitespaceSplit":
            return [CharacterSplit(characters: .whitespace, behavior: .removed)]
        case "Whitespace":
            return [WordSplit()]
        case "CharDelimiterSplit", "Delimiter":
            return [CharacterSplit(characters: .character(try character("delimiter")), behavior: .removed)]
        case "FixedLength":
            let length = try optionalInteger("length") ?? 5
            guard length > 0 else { throw fault("'length' is \(length), at least 1 is needed") }
            return [FixedLengthSplit(length: length)]
        case "Metaspace":
            return [try metaspace()]
        default:
            throw fault("the pre-tokenizer \(type.quotedForMessage) is unknown", .unsupported)
        }
    }

    private func metaspace() throws -> MetaspaceStep {
        let scheme = try optionalString("prepend_scheme") ?? "always"
        guard var prefix = MetaspaceStep.Prefix(rawValue: scheme) else {
            throw fault("'prepend_scheme' is \(scheme.quotedForMessage), not always, first or never")
        }
        // Older files have this instead.
        if try !bool("add_prefix_space", default: true) { prefix = .never }
        return MetaspaceStep(
            replacement: try character("replacement"), prefix: prefix, splits: try bool("split", default: true))
    }

    private func splitBehavior(default standard: SplitBehavior?) throws -> SplitBehavior {
        guard let name = try optionalString("behavior") else {
            guard let standard else { throw fault("'behavior' is missing") }
            return standard
        }
        guard let behavior = SplitBehavior(rawValue: name) else {
            throw fault("'behavior' is \(name.quotedForMessage), which is unknown")
        }
        return behavior
    }
}
