import QuernFormats
import QuernPlanning
import Testing

/// Tokenizer keys where they depend on more than the fixtures show.
@Suite struct ConvertTokenizerTests {
    private static let contractions = #"(?i:'s|'t|'re|'ve|'m|'ll|'d)"#

    struct Split: Sendable, CustomTestStringConvertible {
        /// Patterns in order; nil for single digits.
        let patterns: [String?]
        /// Whether the last step, the bytes, has the words of GPT-2.
        var words = false
        var ignoresMerges = false
        let name: String
        var testDescription: String { "\(name) \(ignoresMerges)" }

        var steps: [[String: Any]] {
            let steps: [[String: Any]] = patterns.map { pattern in
                guard let pattern else { return ["type": "Digits", "individual_digits": true] }
                return ["type": "Split", "pattern": ["Regex": pattern], "behavior": "Isolated", "invert": false]
            }
            return steps + [["type": "ByteLevel", "add_prefix_space": false, "use_regex": words]]
        }
    }

    static let splits: [Split] = [
        Split(patterns: [], words: true, name: "gpt-2"),
        Split(patterns: [nil], words: true, name: "starcoder"),
        Split(patterns: [llama3], ignoresMerges: true, name: "llama-bpe"),
        Split(patterns: [llama3], name: "dbrx"),
        Split(patterns: [llama3.replacing("{1,3}", with: "")], name: "qwen2"),
        Split(
            patterns: [
                #"\p{N}{1,3}"#, "[一-龥\u{3040}-ゟ゠-ヿ]+",
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
                    + " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
            ], name: "deepseek-v3"),
        Split(
            patterns: [
                #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"# + contractions + "?|"
                    + #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"# + contractions
                    + #"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
            ], name: "gpt-4o"),
    ]

    private static let llama3 =
        contractions
        + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    @Test(arguments: splits)
    func splitsHaveNames(split: Split) throws {
        let fixture = try ConvertFixture("llama")
        try fixture.edit("tokenizer.json") { $0["pre_tokenizer"] = ["type": "Sequence", "pretokenizers": split.steps] }
        try fixture.edit("tokenizer.json", at: ["model"]) { $0["ignore_merges"] = split.ignoresMerges }
        #expect(try fixture.open()["tokenizer.ggml.pre"]?.text == split.name)
    }

    /// What tokenizers call the same in two ways.
    @Test func mergesAreReadInBothForms() throws {
        let fixture = try ConvertFixture("llama")
        let pairs = try fixture.open()["tokenizer.ggml.merges"]
        let texts = pairs?.strings?.map(\.text) ?? []
        #expect(texts.count == 254)
        try fixture.edit("tokenizer.json", at: ["model"]) { $0["merges"] = texts }
        #expect(try fixture.open()["tokenizer.ggml.merges"] == pairs)
    }

    @Test func gapsAndAddedTokensHaveTypes() throws {
        let fixture = try ConvertFixture("llama")
        let last = try #require(try fixture.open()["tokenizer.ggml.tokens"]?.strings?.last)
        try fixture.edit("tokenizer.json", at: ["model"]) { model in
            // The last two tokens make room for a gap and an added token.
            var vocabulary = model["vocab"] as? [String: Any] ?? [:]
            let removed = Set(vocabulary.filter { ($0.value as? Int ?? 0) >= 509 }.keys)
            vocabulary = vocabulary.filter { !removed.contains($0.key) }
            let merges = model["merges"] as? [[String]] ?? []
            model["merges"] = merges.filter { !removed.contains($0.joined()) && removed.isDisjoint(with: $0) }
            model["vocab"] = vocabulary
        }
        try fixture.edit("tokenizer.json") { json in
            json["added_tokens"] = [
                ["id": 509, "content": "\u{2581}tool\u{2581}", "special": false, "normalized": true],
                ["id": 511, "content": "<|odd|>", "special": false, "normalized": false],
            ]
        }
        let model = try fixture.open()
        #expect(model["tokenizer.ggml.tokens"]?.strings?.suffix(3).map(\.text) == [" tool ", "[PAD510]", "<|odd|>"])
        #expect(last.text != "<|odd|>")
        guard case .array(.int32(let types))? = model["tokenizer.ggml.token_type"] else {
            Issue.record("no token types")
            return
        }
        #expect(Array(types.suffix(3)) == [4, 5, 3])
        // BOS and EOS are in the vocabulary, and tokenizer_config.json names them.
        #expect(Array(types.prefix(3)) == [3, 3, 1])
    }

    /// Without tokenizer.model the merges say in which order pieces are joined.
    @Test func scoresFollowFromMerges() throws {
        func scores(_ fixture: ConvertFixture) throws -> (tokens: GGUFValue?, types: GGUFValue?, order: [Int]) {
            let model = try fixture.open()
            guard case .array(.float32(let scores))? = model["tokenizer.ggml.scores"],
                case .array(.int32(let types))? = model["tokenizer.ggml.token_type"]
            else { return (nil, nil, []) }
            let normal = scores.indices.filter { types[$0] == 1 }
            #expect(scores.indices.filter { types[$0] == 6 }.allSatisfy { scores[$0] == 0 })
            #expect(scores[0] == -1000 && scores[1] == -1000 && scores[2] == -1000)
            let order = normal.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
            return (model["tokenizer.ggml.tokens"], model["tokenizer.ggml.token_type"], order)
        }
        let fixture = try ConvertFixture("mistral")
        let fromModel = try scores(fixture)
        try fixture.remove("tokenizer.model")
        let fromMerges = try scores(fixture)
        #expect(fromModel.order.count == 253)
        #expect(fromMerges.order == fromModel.order)
        #expect(fromMerges.tokens == fromModel.tokens)
        #expect(fromMerges.types == fromModel.types)
    }

    @Test func paddingBeyondTheVocabularyIsLeftOut() throws {
        let fixture = try ConvertFixture("llama")
        try fixture.edit("config.json") { $0["pad_token_id"] = -1 }
        #expect(try fixture.open()["tokenizer.ggml.padding_token_id"] == nil)
        try fixture.edit("config.json") { $0["pad_token_id"] = 3 }
        #expect(try fixture.open()["tokenizer.ggml.padding_token_id"] == .uint32(3))
    }

    @Test func prefixSpaceIsWrittenFirst() throws {
        let fixture = try ConvertFixture("mistral")
        try fixture.edit("tokenizer_config.json") { $0["add_prefix_space"] = true }
        let keys = try fixture.open().metadata.filter { $0.key.hasPrefix("tokenizer.") }
        #expect(keys.first?.key == "tokenizer.ggml.add_space_prefix")
        #expect(keys.first?.value == .bool(true))
    }

    @Test func vocabulariesKnownByTheirSizeHaveTheirKeys() throws {
        let infill = try ConvertFixture("mistral")
        try infill.resizeVocabulary(32_016)
        let model = try infill.open()
        #expect(model["tokenizer.ggml.prefix_token_id"] == .uint32(32_007))
        #expect(model["tokenizer.ggml.eot_token_id"] == .uint32(32_010))
        #expect(model["tokenizer.ggml.tokens"]?.strings?.last?.text == "[PAD32015]")

        let code = try ConvertFixture("llama")
        try code.resizeVocabulary(49_152)
        let additions = try code.open().metadata.filter { $0.key == "tokenizer.ggml.add_bos_token" }
        #expect(additions.map(\.value) == [.bool(false)])
    }
}
