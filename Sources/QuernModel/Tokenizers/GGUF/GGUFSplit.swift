import QuernFormats

/// How llama.cpp cuts text before BPE, by the name that a GGUF has for it (`tokenizer.ggml.pre`).
struct GGUFSplit {
    /// One after the other cuts what the one before has left; what matches and what lies between are pieces.
    let patterns: [String]
    /// Whether words that are tokens are taken before any merge.
    var ignoresMerges = false
    /// Whether BOS is put before a text where the file does not say.
    var addsBOS = false

    /// - Throws: `.unsupported`, listing the names that are known.
    static func named(_ name: String) throws -> GGUFSplit {
        guard let split = known[name] else {
            throw QuernError(
                .unsupported, "the split \(name.quotedForMessage) is unknown",
                remedy: "Known are \(known.keys.sorted().joined(separator: ", "))")
        }
        return split
    }

    private static let known: [String: GGUFSplit] = {
        var known: [String: GGUFSplit] = [:]
        func add(_ split: GGUFSplit, _ names: String...) { for name in names { known[name] = split } }
        let three = GGUFSplit(patterns: [words(digits: #"\p{N}{1,3}"#)])
        add(
            GGUFSplit(patterns: three.patterns, ignoresMerges: true, addsBOS: true), "llama3", "llama-v3", "llama-bpe",
            "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano")
        add(three, "dbrx", "smaug-bpe", "chatglm-bpe")
        add(GGUFSplit(patterns: three.patterns, ignoresMerges: true), "glm4", "glm5")
        add(
            GGUFSplit(patterns: [words(digits: #"\p{N}"#)]), "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez",
            "stablelm2", "hunyuan", "solar-open", "grok-2")
        add(
            GGUFSplit(patterns: [#"\p{N}{1,3}"#, words(digits: #"\p{N}+"#)], ignoresMerges: true), "minicpm5")
        add(GGUFSplit(patterns: [wordsWithMarks]), "qwen35")
        add(
            GGUFSplit(patterns: [gpt2]), "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de",
            "a.x-4.0", "mellum", "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe", "mpt", "olmo", "jais",
            "trillion", "granite-docling", "exaone4")
        add(
            GGUFSplit(patterns: [#"\p{N}"#, gpt2]), "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone",
            "minerva-7b", "mellum2")
        add(
            GGUFSplit(patterns: [#"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+", deepSeek]), "deepseek-v3", "hunyuan-dense",
            "joyai-llm", "hy_v4")
        add(
            GGUFSplit(patterns: [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥ࠀ-一가-퟿]+", #"\p{N}"#]),
            "deepseek-coder")
        add(
            GGUFSplit(patterns: [casedWords(suffix: contraction + "?", digits: #"\p{N}{1,3}"#)]), "gpt-4o", "llama4",
            "kanana2", "talkie", "minimax-m2")
        add(
            GGUFSplit(patterns: [casedWords(suffix: "", digits: #"\p{N}"#)], ignoresMerges: true, addsBOS: true),
            "tekken")
        add(GGUFSplit(patterns: [#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"]), "falcon")
        add(GGUFSplit(patterns: [#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"]), "default")
        add(GGUFSplit(patterns: [sentences]), "poro-chat", "bloom", "gpt3-finnish")
        add(GGUFSplit(patterns: [sentences, #"\p{N}"#]), "viking")
        add(
            GGUFSplit(patterns: [
                #"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
                    + #"|\s*[\r\n]|\s+(?!\S)|\s+"#
            ]), "bailingmoe", "bailingmoe2", "llada-moe")
        add(
            GGUFSplit(patterns: [
                contraction + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"#
            ]), "seed-coder")
        return known
    }()

    private static let contraction = #"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"#
    private static let spaces = #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"#
    private static let sentences = #" ?[^(\s|.,!?…。，、।۔،)]+"#

    private static func words(digits: String) -> String {
        contraction + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n]*"# + spaces
    }

    private static let wordsWithMarks =
        contraction + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"# + spaces

    /// Only ASCII has capital and small letters here; all others are both.
    private static func casedWords(suffix: String, digits: String) -> String {
        let notSmall = #"(?:(?=\p{L})[^a-z])"#
        let notCapital = #"(?:(?=\p{L})[^A-Z])"#
        let start = #"[^\r\n\p{L}\p{N}]?"#
        return start + notSmall + "*" + notCapital + "+" + suffix + "|" + start + notSmall + "+" + notCapital + "*"
            + suffix + "|" + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*"# + spaces
    }

    private static let deepSeek =
        ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
        + #"| ?[\p{P}\p{S}]+[\r\n]*"# + spaces
}
