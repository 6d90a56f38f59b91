import QuernFormats
import QuernModel
import TestSupport
import Testing

@Suite struct TokenizerFaultTests {
    @Test(arguments: [
        "{}", #"{"model": 3}"#, #"{"model": {"type": "Sorcery", "vocab": {}}}"#, #"{"model": {"type": "BPE"}}"#,
        #"{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}"#,
        #"{"model": {"type": "BPE", "vocab": {"a": 4294967296}, "merges": []}}"#,
        #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}"#,
        #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}}"#,
        #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [1]}}"#,
        #"{"model": {"type": "Unigram", "vocab": [["a"]]}}"#,
        #"{"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 1}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "normalizer": {"type": "Sorcery"}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "!"}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////w=="}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "pre_tokenizer": {"type": "Split", "pattern": {}, "behavior": "Isolated"}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "pre_tokenizer": {"type": "FixedLength", "length": 0}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "pre_tokenizer": {"type": "Metaspace", "replacement": ""}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]}}"#,
        #"{"model": {"type": "WordLevel", "vocab": {}}, "added_tokens": [{}]}"#,
    ]) func aBadFileIsAnError(json: String) {
        #expect(throws: QuernError.self) { try HubTokenizerTests.tokenizer(json) }
    }

    /// Damage of any kind gives an error or a tokenizer, never a crash.
    @Test(arguments: ["gpt2", "unigram", "wordpiece"]) func damageNeverCrashes(name: String) throws {
        let bytes = try Fixtures.bytes("tokenizers/\(name)/tokenizer.json")
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<40 {
            var damaged = bytes
            for _ in 0..<3 {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                damaged[place] = [0x30, 0x22, 0x2C, 0x7B, 0x5D, 0x39].randomElement(using: &generator) ?? 0x30
            }
            guard let json = try? JSONValue.parse(damaged).object, let tokenizer = try? Tokenizer.open(json: json)
            else {
                continue
            }
            _ = try? tokenizer.encode("Some text, 123 <mask> é\u{301}")
        }
    }

    @Test(arguments: ["(a+)+$", "(a|aa)+$"]) func aCostlyPatternIsAnError(pattern: String) throws {
        let regex = try Regex(pattern)
        let text = Array((String(repeating: "a", count: 200) + "?").utf8)
        #expect(throws: QuernError.self) {
            try text.withUnsafeBufferPointer { try regex.forEachMatch(in: $0, RegexMemory()) { _ in } }
        }
    }

    @Test func emptyMatchesMoveOn() throws {
        let regex = try Regex("b*")
        var found: [Range<Int>] = []
        try Array("abbéb".utf8).withUnsafeBufferPointer { text in
            try regex.forEachMatch(in: text, RegexMemory()) { found.append($0) }
        }
        #expect(found == [0..<0, 1..<3, 5..<6])
    }

    @Test func aModelWithoutATokenForTheUnknownSaysSo() throws {
        let json = #"{"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"a": 0}}}"#
        #expect(try HubTokenizerTests.ids(json, "a") == [0])
        #expect(throws: QuernError.self) { try HubTokenizerTests.ids(json, "b") }
    }

    @Test(
        arguments: [
            [], [("tokenizer.ggml.model", .string("sorcery")), ("tokenizer.ggml.tokens", .array(.string(["a"])))],
            [("tokenizer.ggml.model", .string("llama"))],
            [("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.tokens", .array(.string(["a"])))],
            [
                ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.tokens", .array(.string(["a"]))),
                ("tokenizer.ggml.merges", .array(.string(["a"]))),
            ],
            [
                ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.tokens", .array(.string(["a"]))),
                ("tokenizer.ggml.merges", .array(.string([]))), ("tokenizer.ggml.pre", .string("sorcery")),
            ],
            [
                ("tokenizer.ggml.model", .string("llama")), ("tokenizer.ggml.tokens", .array(.string(["a", "b"]))),
                ("tokenizer.ggml.scores", .array(.float32([0]))),
            ],
        ] as [[(String, GGUFValue)]]) func badVocabularyKeysAreAnError(metadata: [(String, GGUFValue)])
    {
        #expect(throws: QuernError.self) {
            try Tokenizer.open(metadata: metadata.map { (key: $0.0, value: $0.1) })
        }
    }
}
