import QuernFormats
import QuernModel
import TestSupport
import Testing

/// Ids of llama.cpp for texts of all sorts.
@Suite struct GGUFTokenizerTests {
    struct Vocabulary: Decodable {
        struct Keys: Decodable {
            let model: String
            let pre: String
            let tokens: [String]
            let token_type: [Int32]
            let scores: [Float]?
            let merges: [String]?
            let bos_token_id: UInt32
            let add_bos_token: Bool?
            let add_space_prefix: Bool?
        }
        let keys: Keys
        let ids: [[Int32]]

        var metadata: [(key: String, value: GGUFValue)] {
            var metadata: [(key: String, value: GGUFValue)] = [
                ("tokenizer.ggml.model", .string(keys.model)), ("tokenizer.ggml.pre", .string(keys.pre)),
                ("tokenizer.ggml.tokens", .array(.string(keys.tokens.map { GGUFString($0) }))),
                ("tokenizer.ggml.token_type", .array(.int32(keys.token_type))),
                ("tokenizer.ggml.bos_token_id", .uint32(keys.bos_token_id)),
            ]
            if let scores = keys.scores { metadata.append(("tokenizer.ggml.scores", .array(.float32(scores)))) }
            if let merges = keys.merges {
                metadata.append(("tokenizer.ggml.merges", .array(.string(merges.map { GGUFString($0) }))))
            }
            if let adds = keys.add_bos_token { metadata.append(("tokenizer.ggml.add_bos_token", .bool(adds))) }
            if let adds = keys.add_space_prefix { metadata.append(("tokenizer.ggml.add_space_prefix", .bool(adds))) }
            return metadata
        }
    }

    static let vocabularies: [String: Vocabulary] = TokenizerTests.load("tokenizers/vocabularies.json")

    @Test(arguments: vocabularies.keys.sorted()) func givesTheIDsOfLlamaCpp(name: String) throws {
        let vocabulary = try #require(Self.vocabularies[name])
        let tokenizer = try Tokenizer.open(metadata: vocabulary.metadata)
        #expect(tokenizer.vocabularySize == vocabulary.keys.tokens.count)
        #expect(
            tokenizer.beginsWith == (vocabulary.keys.add_bos_token == true ? Int32(vocabulary.keys.bos_token_id) : nil))
        #expect(vocabulary.ids.count == TokenizerTests.texts.count)
        for (text, ids) in zip(TokenizerTests.texts, vocabulary.ids) where !text.utf8.contains(0) {
            #expect(try tokenizer.encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test func theLongestSpecialTokenComesFirst() throws {
        let special = SpecialTokens(
            [("<a", 1), ("a><b", 2), ("<a>", 3)].map { (Array($0.utf8), $1) }, strippingRight: [1])
        func parts(_ text: String) -> [String] {
            var parts: [String] = []
            Array(text.utf8).withUnsafeBufferPointer { bytes in
                special.cut(bytes) {
                    parts.append(String(decoding: bytes[$0], as: UTF8.self))
                } token: {
                    parts.append("\($0)")
                }
            }
            return parts
        }
        #expect(parts("x<a>y") == ["x", "3", "y"])
        #expect(parts("<a><b") == ["<", "2"])
        #expect(parts("<a  <a>") == ["1", "3"])
        #expect(parts("") == [])
    }

    /// Merges may pass through texts that are no tokens.
    @Test func mergesThroughTextsThatAreNoTokens() throws {
        let metadata: [(key: String, value: GGUFValue)] = [
            ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("gpt-2")),
            ("tokenizer.ggml.tokens", .array(.string(["a", "b", "c", "abc"]))),
            ("tokenizer.ggml.merges", .array(.string(["a b", "ab c"]))),
        ]
        let tokenizer = try Tokenizer.open(metadata: metadata)
        #expect(try tokenizer.encode("abc") == [3])
        #expect(try tokenizer.encode("abb") == [0, 1, 1])
        #expect(try tokenizer.encode("aéb") == [0, 1])
    }
}
