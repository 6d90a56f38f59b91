import QuernFormats
import QuernModel
import Testing

/// Settings that the sample tokenizers do not have; expected ids are those of the `tokenizers` library.
@Suite struct HubTokenizerTests {
    static func tokenizer(_ json: String) throws -> Tokenizer {
        try Tokenizer.open(json: #require(try JSONValue.parse(Array(json.utf8)).object))
    }

    static func ids(_ json: String, _ text: String) throws -> [Int32] { try tokenizer(json).encode(text) }

    /// Every word is a token of one vocabulary, so that ids show the pieces.
    static func pieces(_ preTokenizer: String, _ text: String, words: [String]) throws -> [String] {
        let vocabulary = (["?"] + words).enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
        let json = """
            {"pre_tokenizer": \(preTokenizer),
             "model": {"type": "WordLevel", "unk_token": "?", "vocab": {\(vocabulary)}}}
            """
        return try ids(json, text).map { (["?"] + words)[Int($0)] }
    }

    @Test(arguments: [
        ("Isolated", false, ["the", "-", "final", "-", "-", "cut"]),
        ("Removed", false, ["the", "final", "cut"]),
        ("MergedWithPrevious", false, ["the-", "final-", "-", "cut"]),
        ("MergedWithNext", false, ["the", "-final", "-", "-cut"]),
        ("Contiguous", false, ["the", "-", "final", "--", "cut"]),
        ("Removed", true, ["-", "-", "-"]),
        ("MergedWithPrevious", true, ["the", "-final", "-", "-cut"]),
    ]) func splitsByBehavior(behavior: String, inverted: Bool, expected: [String]) throws {
        for pattern in [#"{"String": "-"}"#, #"{"Regex": "-"}"#] {
            let step = #"{"type": "Split", "pattern": \#(pattern), "behavior": "\#(behavior)", "invert": \#(inverted)}"#
            let words = ["the", "-", "final", "cut", "the-", "final-", "-final", "-cut", "--"]
            #expect(try Self.pieces(step, "the-final--cut", words: words) == expected)
        }
    }

    @Test(arguments: [
        (#"{"type": "Digits", "individual_digits": true}"#, "a12b", ["a", "1", "2", "b"]),
        (#"{"type": "Digits", "individual_digits": false}"#, "a12b", ["a", "12", "b"]),
        (#"{"type": "WhitespaceSplit"}"#, "a\u{3000}b \n12", ["a", "b", "12"]),
        (#"{"type": "Whitespace"}"#, "a!! b", ["a", "!!", "b"]),
        (#"{"type": "Punctuation", "behavior": "Isolated"}"#, "a!!b", ["a", "!", "!", "b"]),
        (#"{"type": "CharDelimiterSplit", "delimiter": "!"}"#, "a!!b", ["a", "b"]),
        (#"{"type": "FixedLength", "length": 2}"#, "12ab1", ["12", "ab", "1"]),
        (
            #"{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Digits"}]}"#, "a 12b",
            ["a", "12", "b"]
        ),
    ]) func cuts(step: String, text: String, expected: [String]) throws {
        let words = ["a", "b", "1", "2", "12", "!", "!!", "ab"]
        #expect(try Self.pieces(step, text, words: words) == expected)
    }

    @Test(arguments: [
        ("NFC", "e\u{301}\u{323}", "ẹ\u{301}"), ("NFD", "é한", "e\u{301}\u{1112}\u{1161}\u{11AB}"),
        ("NFKC", "ﬁ①Å", "fi1Å"), ("NFKD", "ﬁé", "fie\u{301}"), ("Lowercase", "ÀΣİ", "àσi\u{307}"),
        ("StripAccents", "e\u{301}a", "ea"), ("Nmt", "a\u{200B}b\u{1}", "a b"),
        // Unicode 9 does not know this one's parts.
        ("NFD", "\u{11938}", "\u{11938}"),
    ]) func normalizes(type: String, text: String, expected: String) throws {
        let json = """
            {"normalizer": {"type": "\(type)"},
             "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "\(expected)": 1}}}
            """
        #expect(try Self.ids(json, text) == [1])
    }

    @Test func addedTokensTakeSpacesAlongAndStandAlone() throws {
        let json = """
            {"added_tokens": [
               {"id": 3, "content": "<m>", "lstrip": true, "special": true},
               {"id": 4, "content": "<r>", "rstrip": true, "special": true},
               {"id": 5, "content": "ab", "single_word": true, "normalized": true},
               {"id": 6, "content": "<m><m>", "special": true}],
             "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, " ": 2}, "merges": []}}
            """
        #expect(try Self.ids(json, "a <m> a") == [0, 3, 2, 0])
        #expect(try Self.ids(json, "a <r> a") == [0, 2, 4, 0])
        #expect(try Self.ids(json, "ab aba") == [5, 2, 0, 1, 0])
        #expect(try Self.ids(json, "<m><m><m>") == [6, 3])
    }

    @Test func bytePairsMergeByRankWithAffixesAndFallbacks() throws {
        let affixed = """
            {"model": {"type": "BPE", "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
              "vocab": {"a": 0, "##b": 1, "##c</w>": 2, "ab": 3, "abc</w>": 4}, "merges": ["a ##b", ["ab", "##c</w>"]]}}
            """
        #expect(try Self.ids(affixed, "abc") == [4])
        let fallback = """
            {"model": {"type": "BPE", "byte_fallback": true, "unk_token": "?", "fuse_unk": true,
              "vocab": {"?": 0, "a": 1, "<0xC3>": 2, "<0xA9>": 3}, "merges": []}}
            """
        #expect(try Self.ids(fallback, "aéa\u{20AC}\u{20AC}a") == [1, 2, 3, 1, 0, 1])
        let ignoring = """
            {"model": {"type": "BPE", "ignore_merges": true, "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": []}}
            """
        #expect(try Self.ids(ignoring, "ab") == [2])
        #expect(try Self.ids(ignoring, "aba") == [0, 1, 0])
    }

    @Test func longWordsMergeLikeShortOnes() throws {
        let json = """
            {"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1, "aaaa": 2, "b": 3, "ba": 4},
              "merges": ["a a", "aa aa", "b a"]}}
            """
        #expect(try Self.ids(json, String(repeating: "a", count: 4003)) == Array(repeating: 2, count: 1000) + [1, 0])
        // Before each b is a seam.
        let word = "b" + String(repeating: "a", count: 8)
        let one = try Self.ids(json, word)
        #expect(one == [3, 2, 2])
        #expect(try Self.ids(json, String(repeating: word, count: 50)) == Array((0..<50).map { _ in one }.joined()))
    }
}
