import Foundation
import QuernFormats
import QuernModel
import TestSupport
import Testing

/// Ids of the `tokenizers` library for texts of all sorts.
@Suite struct TokenizerTests {
    static let names = [
        "deepseek", "gemma", "gpt2", "gpt4o", "llama2", "llama2_metaspace", "llama3", "qwen2", "starcoder", "unigram",
        "wordpiece",
    ]
    static let texts: [String] = load("tokenizers/texts.json")

    static func load<Value: Decodable>(_ path: String) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(Fixtures.bytes(path)))
        } catch {
            fatalError("\(path): \(error)")
        }
    }

    @Test(arguments: names) func givesTheIDsOfTheLibrary(name: String) throws {
        let tokenizer = try Tokenizer.open(path: Fixtures.path("tokenizers/\(name)"))
        let expected: [[Int32]] = Self.load("tokenizers/\(name)/ids.json")
        #expect(expected.count == Self.texts.count)
        for (text, ids) in zip(Self.texts, expected) {
            #expect(try tokenizer.encode(text) == ids, "\(text.debugDescription)")
        }
        let largest = try #require(expected.joined().max())
        #expect(tokenizer.vocabularySize > Int(largest))
    }

    /// What the cache knows, and what it does not, comes to the same; so do long texts that are cut at seams.
    @Test(arguments: names) func aLongTextHasTheIDsOfAFreshTokenizer(name: String) throws {
        let path = Fixtures.path("tokenizers/\(name)")
        let warm = try Tokenizer.open(path: path)
        for text in Self.texts { _ = try warm.encode(text) }
        let long = Self.texts.joined(separator: " ")
        #expect(try warm.encode(long) == Tokenizer.open(path: path).encode(long))
    }

    @Test(
        arguments: [
            ("llama3", 0, nil), ("gemma", 2, nil), ("gpt2", nil, nil), ("unigram", nil, 1), ("wordpiece", 2, 3),
            ("llama2", 1, nil),
        ] as [(String, Int32?, Int32?)])
    func knowsWhatBelongsAroundAText(name: String, begin: Int32?, end: Int32?) throws {
        let tokenizer = try Tokenizer.open(path: Fixtures.path("tokenizers/\(name)"))
        #expect(tokenizer.beginsWith == begin)
        #expect(tokenizer.endsWith == end)
        let ids = try tokenizer.encode("word")
        let around = [begin].compactMap { $0 } + ids + [end].compactMap { $0 }
        #expect(try tokenizer.encode("word", addSpecialTokens: true) == around)
    }

    @Test func brokenUTF8BecomesReplacementCharacters() throws {
        let tokenizer = try Tokenizer.open(path: Fixtures.path("tokenizers/llama3"))
        #expect(try tokenizer.encode(utf8: [0x61, 0xFF, 0x62]) == tokenizer.encode("a\u{FFFD}b"))
        #expect(try tokenizer.encode(utf8: [0xE2, 0x82]) == tokenizer.encode("\u{FFFD}"))
        #expect(try tokenizer.encode(utf8: []).isEmpty)
    }

    @Test func manyThreadsShareATokenizer() async throws {
        let tokenizer = try Tokenizer.open(path: Fixtures.path("tokenizers/qwen2"))
        let expected: [[Int32]] = Self.load("tokenizers/qwen2/ids.json")
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask { try zip(Self.texts, expected).allSatisfy { try tokenizer.encode($0) == $1 } }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test(arguments: ["/nowhere", #filePath]) func aSourceWithoutATokenizerIsAnError(path: String) {
        #expect(throws: QuernError.self) { try Tokenizer.open(path: path) }
    }
}
