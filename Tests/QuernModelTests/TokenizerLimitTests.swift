import Foundation
import QuernFormats
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// Texts and files that would take all memory or all time.
@Suite struct TokenizerLimitTests {
    private static func json(_ normalizers: [String]) -> String {
        """
        {"normalizer": {"type": "Sequence", "normalizers": [\(normalizers.joined(separator: ", "))]},
         "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}}
        """
    }

    private static let doubling = #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#
    private static let longText = String(repeating: "a", count: 70_000)

    @Test(arguments: [
        ([String](repeating: doubling, count: 60), "a"),
        ([String](repeating: #"{"type": "ByteLevel"}"#, count: 60), "é"),
        ([#"{"type": "Replace", "pattern": {"Regex": ""}, "content": "\#(longText)"}"#], longText),
        ([#"{"type": "Prepend", "prepend": "\#(longText)"}"#], "b"),
    ])
    func textThatGrowsWithoutEndIsAnError(normalizers: [String], text: String) throws {
        let tokenizer = try HubTokenizerTests.tokenizer(Self.json(normalizers))
        let error = try #require(throws: QuernError.self) { try tokenizer.encode(text) }
        #expect(error.code == .invalidInput && error.message.contains("32 times"), "\(error)")
    }

    /// The character that grows most, and its spaces made visible.
    @Test func whatLanguagesNeedIsNoExcess() throws {
        let space = #"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#
        let tokenizer = try HubTokenizerTests.tokenizer(
            Self.json([#"{"type": "NFKC"}"#, space, #"{"type": "ByteLevel"}"#]))
        #expect(try tokenizer.encode(String(repeating: "\u{FDFA}", count: 50_000)) == [0])
    }

    /// Each step is called by the one before it: a million of them would take more than the stack.
    @Test func tooManyStepsAreAnError() throws {
        func json(_ steps: Int) -> String {
            let list = [String](repeating: #"{"type": "Digits"}"#, count: steps).joined(separator: ", ")
            return """
                {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [\(list)]},
                 "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}}
                """
        }
        #expect(try HubTokenizerTests.tokenizer(json(64)).encode("a1") == [0, 0])
        let error = try #require(throws: QuernError.self) { try HubTokenizerTests.tokenizer(json(65)) }
        #expect(error.code == .invalidInput && error.location == "'pre_tokenizer'", "\(error)")
        #expect(error.message == "65 steps, at most 64 are allowed")
    }

    /// Steps each of which makes two of what the one before it made: spellings of spellings, and signs put before the
    /// signs of the other.
    @Test(arguments: [
        [#"{"type": "ByteLevel", "add_prefix_space": false}"#],
        [#"{"type": "Metaspace", "replacement": "A"}"#, #"{"type": "Metaspace", "replacement": "B"}"#],
    ])
    func growingWithoutEndIsAnError(steps: [String]) throws {
        func tokenizer(_ count: Int) throws -> Tokenizer {
            let list = (0..<count).map { steps[$0 % steps.count] }.joined(separator: ", ")
            return try HubTokenizerTests.tokenizer(
                """
                {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [\(list)]},
                 "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0}}}
                """)
        }
        #expect(try !tokenizer(4).encode("é e").isEmpty)
        let error = try #require(throws: QuernError.self) { try tokenizer(30).encode("é e") }
        #expect(error.code == .invalidInput && error.location == "pre_tokenizer", "\(error)")
        #expect(error.message == "it makes more than 32 times as much of a text")
    }

    /// Words that are one, so that nothing is done before all is.
    private static let oneWord = [
        #"{"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1}, "merges": ["a a"], "ignore_merges": true}}"#,
        #"{"model": {"type": "Unigram", "vocab": [["a", -1], ["aa", -3]], "unk_id": 0}}"#,
    ]

    @Test(arguments: ["gpt2", "llama2", "unigram", "wordpiece"] + oneWord)
    func longTextsAreInterrupted(kind: String) throws {
        let tokenizer =
            kind.hasPrefix("{")
            ? try HubTokenizerTests.tokenizer(kind) : try Tokenizer.open(path: Fixtures.path("tokenizers/\(kind)"))
        let unit = kind.hasPrefix("{") ? "aaa" : "The cat sat. "
        let text = Array(String(repeating: unit, count: 1_000_000 / unit.utf8.count).utf8)
        var shares: [Double] = []
        let ids = try tokenizer.encode(utf8: text) { shares.append($0) }
        #expect(shares.count > 4 && shares == shares.sorted() && shares.allSatisfy { (0...1).contains($0) })
        struct Enough: Error {}
        var calls = 0
        #expect(throws: Enough.self) {
            try tokenizer.encode(utf8: text) { _ in
                calls += 1
                if calls > 2 { throw Enough() }
            }
        }
        #expect(calls == 3)
        #expect(try tokenizer.encode(utf8: text) == ids)
    }

    /// Memory that is never touched costs nothing.
    @Test func textsOfTwoGibibytesAreRefusedAtOnce() throws {
        let text = [UInt8](unsafeUninitializedCapacity: 1 << 31) { $1 = 1 << 31 }
        let tokenizer = try Tokenizer.open(path: Fixtures.path("tokenizers/gpt2"))
        let error = try #require(throws: QuernError.self) { try tokenizer.encode(utf8: text) }
        #expect(error.code == .invalidInput && error.message.contains("2147483648 bytes of text"), "\(error)")
    }

    /// The model has 512 pieces.
    @Test(arguments: [(600, 601), (66_047, 66_048), (66_048, nil), (16_777_215, nil), (-1, nil)] as [(Int, Int?)])
    func addedTokensLieNearThePieces(id: Int, size: Int?) throws {
        let folder = try TemporaryFolder()
        try folder.write(Fixtures.bytes("checkpoints/mistral/tokenizer.model"), to: "tokenizer.model")
        try folder.write(
            #"{"added_tokens_decoder": {"\#(id)": {"content": "<far>"}}}"#, to: "tokenizer_config.json")
        guard let size else {
            let error = try #require(throws: QuernError.self) { try Tokenizer.open(path: folder.path) }
            #expect(error.code == .invalidInput && error.message.contains("\(id), and the model has 512 pieces"))
            #expect(error.location.hasSuffix("'added_tokens_decoder'"))
            return
        }
        let tokenizer = try Tokenizer.open(path: folder.path)
        #expect(tokenizer.vocabularySize == size)
        #expect(try tokenizer.encode("<far>") == [Int32(id)])
    }
}
