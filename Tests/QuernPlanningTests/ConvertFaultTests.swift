import QuernFormats
import QuernPlanning
import Testing

/// Checkpoints that cannot be converted are refused with what is wrong and where.
@Suite struct ConvertFaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var family = "llama"
        var code = QuernError.Code.invalidInput
        /// All of it has to be said, in the description of the error.
        let says: [String]
        let damage: @Sendable (ConvertFixture) throws -> Void
    }

    @Test(arguments: configFaults + tensorFaults + tokenizerFaults)
    func isRefused(fault: Fault) throws {
        let fixture = try ConvertFixture(fault.family)
        try fault.damage(fixture)
        let error = try #require(SourceModel.failure(fixture))
        #expect(error.code == fault.code)
        for words in fault.says { #expect(error.description.contains(words), "\(error)") }
        #expect(error.description.contains(fixture.path))
    }

    private static func config(
        _ name: String, code: QuernError.Code = .invalidInput, says: [String],
        _ change: @escaping @Sendable (inout [String: Any]) -> Void
    ) -> Fault {
        Fault(testDescription: name, code: code, says: ["config.json"] + says) {
            try $0.edit("config.json", change)
        }
    }

    static let configFaults: [Fault] = [
        config("unknown class", code: .unsupported, says: ["FalconForCausalLM", "Qwen3ForCausalLM", "GGUF"]) {
            $0["architectures"] = ["FalconForCausalLM"]
        },
        config("no class", says: ["architectures"]) { $0["architectures"] = nil },
        config("missing size", says: ["'hidden_size' is missing"]) { $0["hidden_size"] = nil },
        config("negative size", says: ["num_hidden_layers"]) { $0["num_hidden_layers"] = -1 },
        config("fractional size", says: ["intermediate_size"]) { $0["intermediate_size"] = 512.5 },
        config("vast vocabulary", says: ["vocab_size"]) { $0["vocab_size"] = 2_000_000_000 },
        config("heads and key-value heads", says: ["num_key_value_heads (3)"]) { $0["num_key_value_heads"] = 3 },
        config("odd heads", says: ["odd"]) { $0["head_dim"] = 31 },
        config("text for a number", says: ["rms_norm_eps"]) { $0["rms_norm_eps"] = "small" },
        config("unknown scaling", code: .unsupported, says: ["'warp'"]) {
            $0["rope_scaling"] = ["rope_type": "warp", "factor": 2]
        },
        config("scaling without factor", says: ["'factor'"]) { $0["rope_scaling"] = ["rope_type": "linear"] },
        config("equal frequency factors", says: ["high_freq_factor"]) {
            $0["rope_scaling"] = [
                "rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
                "original_max_position_embeddings": 64,
            ]
        },
        config("quantized already", code: .unsupported, says: ["hqq"]) {
            $0["quantization_config"] = ["quant_method": "hqq"]
        },
    ]

    private static func tensors(
        _ name: String, code: QuernError.Code = .invalidInput, says: [String],
        _ change: @escaping @Sendable (inout [String: Any]) -> Void
    ) -> Fault {
        Fault(testDescription: name, code: code, says: says) { try $0.editTensors(change) }
    }

    static let tensorFaults: [Fault] = [
        tensors("missing tensor", says: ["model.layers.1.mlp.up_proj.weight", "lacks"]) {
            $0["model.layers.1.mlp.up_projection.rotary_emb.inv_freq"] = $0["model.layers.1.mlp.up_proj.weight"]
            $0["model.layers.1.mlp.up_proj.weight"] = nil
        },
        tensors("unknown tensor", code: .unsupported, says: ["model.layers.0.mlp.gate_proj.lora_A"]) {
            $0["model.layers.0.mlp.gate_proj.lora_A"] = $0["model.layers.0.mlp.gate_proj.weight"]
            $0["model.layers.0.mlp.gate_proj.weight"] = nil
        },
        tensors("layer beyond the last", code: .unsupported, says: ["model.layers.2.mlp.gate_proj.weight"]) {
            $0["model.layers.2.mlp.gate_proj.weight"] = $0["model.layers.1.mlp.gate_proj.weight"]
            $0["model.layers.1.mlp.gate_proj.weight"] = nil
        },
        tensors("layer with a zero before it", code: .unsupported, says: ["model.layers.01.mlp.gate_proj.weight"]) {
            $0["model.layers.01.mlp.gate_proj.weight"] = $0["model.layers.1.mlp.gate_proj.weight"]
            $0["model.layers.1.mlp.gate_proj.weight"] = nil
        },
        tensors("wrong shape", says: ["model.norm.weight", "[16, 16]", "[256]"]) {
            var norm = $0["model.norm.weight"] as? [String: Any]
            norm?["shape"] = [16, 16]
            $0["model.norm.weight"] = norm
        },
        tensors("integers", code: .unsupported, says: ["model.norm.weight", "I16"]) {
            var norm = $0["model.norm.weight"] as? [String: Any]
            norm?["dtype"] = "I16"
            $0["model.norm.weight"] = norm
        },
        Fault(testDescription: "head neither there nor tied", says: ["lm_head.weight", "lacks"]) {
            try $0.edit("config.json") { $0["tie_word_embeddings"] = false }
        },
        Fault(testDescription: "biases switched on", says: ["self_attn.q_proj.bias", "lacks"]) {
            try $0.edit("config.json") { $0["attention_bias"] = true }
        },
    ]

    private static func tokenizer(
        _ name: String, family: String = "llama", file: String = "tokenizer.json", at keys: [String] = [],
        code: QuernError.Code = .invalidInput, says: [String],
        _ change: @escaping @Sendable (inout [String: Any]) -> Void
    ) -> Fault {
        Fault(testDescription: name, family: family, code: code, says: [file] + says) {
            try $0.edit(file, at: keys, change)
        }
    }

    private static func added(_ id: Int, _ content: String) -> [String: Any] {
        ["id": id, "content": content, "special": true, "normalized": false]
    }

    static let tokenizerFaults: [Fault] = [
        Fault(testDescription: "no tokenizer", code: .notFound, says: ["tokenizer.json", "tokenizer.model"]) {
            try $0.remove("tokenizer.json")
        },
        tokenizer("id beyond the vocabulary", at: ["model", "vocab"], says: ["'!'", "512"]) { $0["!"] = 512 },
        tokenizer("negative id", at: ["model", "vocab"], says: ["'!'"]) { $0["!"] = -1 },
        tokenizer("two tokens with one id", at: ["model", "vocab"], says: ["the id 7"]) {
            $0["#"] = 7
            $0["!"] = 7
        },
        tokenizer("added token beyond the vocabulary", says: ["'<|far|>'", "600"]) {
            $0["added_tokens"] = [added(600, "<|far|>")]
        },
        tokenizer("added token with another's id", says: ["'<|new|>'", "the id 9"]) {
            $0["added_tokens"] = [added(9, "<|new|>")]
        },
        tokenizer("added token with two ids", says: ["'<|end_of_text|>'", "5"]) {
            $0["added_tokens"] = [added(5, "<|end_of_text|>")]
        },
        tokenizer("added token without id", says: ["'<|new|>'"]) { $0["added_tokens"] = [["content": "<|new|>"]] },
        tokenizer("merge of an unknown token", at: ["model"], says: ["merge 1", "'zzz'"]) {
            $0["merges"] = [["Ġ", "t"], ["zzz", "t"]]
        },
        tokenizer("merge into an unknown token", at: ["model"], says: ["merge 0", "'!#'"]) { $0["merges"] = ["! #"] },
        tokenizer("merge of three", at: ["model"], says: ["merge 0"]) { $0["merges"] = ["Ġ t h"] },
        tokenizer("no merges", at: ["model"], says: ["merges"]) { $0["merges"] = [String]() },
        tokenizer("no vocabulary", at: ["model"], says: ["vocab"]) { $0["vocab"] = nil },
        tokenizer("another kind of tokenizer", at: ["model"], code: .unsupported, says: ["'Unigram'"]) {
            $0["type"] = "Unigram"
        },
        tokenizer("characters without bytes", code: .unsupported, says: ["bytes", "tokenizer.model"]) {
            $0["decoder"] = ["type": "Fuse"]
        },
        tokenizer("unknown split", code: .unsupported, says: ["[a-z]+", "GGUF"]) {
            $0["pre_tokenizer"] = ["type": "Split", "pattern": ["Regex": "[a-z]+"], "behavior": "Isolated"]
        },
        tokenizer("BOS beyond the vocabulary", file: "config.json", says: ["'bos_token_id' is 512"]) {
            $0["bos_token_id"] = 512
        },
        tokenizer(
            "added piece beyond the vocabulary", family: "mistral", file: "tokenizer_config.json",
            says: ["'<far>'", "512"]
        ) { $0["added_tokens_decoder"] = ["512": ["content": "<far>", "special": true]] },
        Fault(
            testDescription: "more pieces than embeddings", family: "mistral",
            says: ["tokenizer.model", "512 pieces", "511"]
        ) { try $0.resizeVocabulary(511) },
        Fault(testDescription: "cut tokenizer.model", family: "mistral", says: ["tokenizer.model", "past the end"]) {
            try $0.write([0x0A, 0x20, 0x0A], to: "tokenizer.model")
        },
        Fault(testDescription: "empty tokenizer.model", family: "mistral", says: ["tokenizer.model", "no pieces"]) {
            try $0.write([], to: "tokenizer.model")
        },
    ]
}
