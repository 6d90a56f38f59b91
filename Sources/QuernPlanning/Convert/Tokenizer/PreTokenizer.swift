import QuernFormats

/// How text is cut before BPE, and what llama.cpp calls it. (The reference converter tells tokenizers apart by a hash
/// over the ids of a fixed text, so that a vocabulary it has never seen fails; the cut itself says as much.)
enum PreTokenizer {
    /// `tokenizer.ggml.pre` of a byte-level BPE.
    /// - Throws: `.unsupported`, naming the patterns, where they are unknown.
    static func name(of file: TokenizerFile) throws -> String {
        let steps = try file.preTokenizer.map { try Self.steps($0, depth: 0) } ?? []
        guard let name = names[steps] else {
            let shown = steps.isEmpty ? "none" : steps.joined(separator: " then ")
            throw QuernError(
                .unsupported, "the pre-tokenizer is unknown: \(shown)", at: TokenizerFile.fileName,
                remedy: "Convert the checkpoint with a tool that knows it; a GGUF of any kind works as a source")
        }
        // The name "llama-bpe" also says that whole words which are tokens are taken before any merge.
        return name == "llama-bpe" && !file.ignoresMerges ? "dbrx" : name
    }

    /// One word for every step: `byte-level`, `digits`, or a pattern.
    private static func steps(_ step: JSONObject, depth: Int) throws -> [String] {
        switch step["type"]?.string {
        case "Sequence" where depth < 4:
            return try (step["pretokenizers"]?.array ?? []).flatMap { step -> [String] in
                guard let object = step.object else {
                    throw TokenizerFile.fault("a step of 'pre_tokenizer' is no object")
                }
                return try steps(object, depth: depth + 1)
            }
        case "ByteLevel":
            // A prefix space would be a cut of its own.
            let prefix = step["add_prefix_space"]?.bool == true ? " with a prefix space" : ""
            return [(step["use_regex"]?.bool ?? true ? byteLevelWords : byteLevel) + prefix]
        case "Digits":
            return [step["individual_digits"]?.bool == true ? digits : "runs of digits"]
        case "Split":
            guard let pattern = step["pattern"]?.object?["Regex"]?.string else { return ["a split without a pattern"] }
            let inverted = step["invert"]?.bool ?? false
            let behavior = step["behavior"]?.string ?? "Isolated"
            // Isolating what matches, and removing what does not, come to the same where the pattern covers all text.
            let isolates = inverted ? behavior == "Removed" : behavior == "Isolated"
            let text = pattern.replacing(scalar: "\r", with: #"\r"#).replacing(scalar: "\n", with: #"\n"#)
            return [isolates ? text : "\(text) (\(behavior))"]
        case let type:
            return [type.map(\.quotedForMessage) ?? "a step without a type"]
        }
    }

    private static let byteLevel = "byte-level"
    private static let byteLevelWords = "byte-level words"
    private static let digits = "single digits"

    private static let names: [[String]: String] = [
        [byteLevelWords]: "gpt-2",
        [digits, byteLevelWords]: "starcoder",
        [words(digits: #"\p{N}{1,3}"#), byteLevel]: "llama-bpe",
        [words(digits: #"\p{N}"#), byteLevel]: "qwen2",
        [
            casedWords(suffix: #"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#, digits: #"\p{N}{1,3}"#), byteLevel,
        ]: "gpt-4o",
        [casedWords(suffix: "", digits: #"\p{N}"#), byteLevel]: "tekken",
        [#"\p{N}{1,3}"#, #"[一-龥぀-ゟ゠-ヿ]+"#, deepSeekWords, byteLevel]: "deepseek-v3",
        [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, #"[一-龥ࠀ-一가-퟿]+"#, digits, byteLevel]: "deepseek-coder",
    ]

    /// The split of GPT-4 (cl100k), by how many digits go together.
    private static func words(digits: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    /// The split of GPT-4o (o200k): words also end where small letters are followed by capitals.
    private static func casedWords(suffix: String, digits: String) -> String {
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"# + suffix
            + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"# + suffix
            + "|" + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    private static let deepSeekWords =
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
        + #"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
}
