import QuernFormats
import QuernPlanning
import Testing

/// What only some families can get wrong.
@Suite struct ConvertFamilyFaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let family: String
        var code = QuernError.Code.invalidInput
        /// All of it has to be said, in the description of the error.
        let says: [String]
        let damage: @Sendable (ConvertFixture) throws -> Void
    }

    private static func config(
        _ name: String, _ family: String, code: QuernError.Code = .invalidInput, says: [String],
        _ change: @escaping @Sendable (inout [String: Any]) -> Void
    ) -> Fault {
        Fault(testDescription: name, family: family, code: code, says: says) { try $0.edit("config.json", change) }
    }

    private static func rename(
        _ name: String, _ family: String, code: QuernError.Code = .invalidInput, says: [String], from: String,
        to: String
    ) -> Fault {
        Fault(testDescription: name, family: family, code: code, says: says) {
            try $0.editTensors { tensors in
                tensors[to] = tensors[from]
                tensors[from] = nil
            }
        }
    }

    static let faults: [Fault] = [
        config("layers without experts", "qwen3_moe", code: .unsupported, says: ["mlp_only_layers", "llama.cpp"]) {
            $0["mlp_only_layers"] = [0]
        },
        config("every second layer", "qwen2_moe", code: .unsupported, says: ["decoder_sparse_step", "llama.cpp"]) {
            $0["decoder_sparse_step"] = 2
        },
        config("no experts", "mixtral", says: ["num_experts"]) { $0["num_local_experts"] = nil },
        config("more used than there are", "mixtral", says: ["num_experts_per_tok", "4"]) {
            $0["num_experts_per_tok"] = 5
        },
        config("groups that do not fit", "deepseek_v3", says: ["n_group"]) { $0["n_group"] = 3 },
        config("first layer with experts", "deepseek_v3", says: ["first_k_dense_replace"]) {
            $0["first_k_dense_replace"] = 3
        },
        config("no latent rank", "deepseek_v3", says: ["kv_lora_rank"]) { $0["kv_lora_rank"] = nil },
        config("scoring", "deepseek_v3", code: .unsupported, says: ["'tanh'"]) { $0["scoring_func"] = "tanh" },
        Fault(
            testDescription: "tied head", family: "qwen2_moe", says: ["lm_head.weight", "tied", "qwen2moe"]
        ) {
            try $0.edit("config.json") { $0["tie_word_embeddings"] = true }
            try $0.editTensors { tensors in
                tensors["lm_head.weight"] = nil
                ConvertFixture.layOut(&tensors)
            }
        },
        config("factors of another size", "phi3", says: ["long_factor", "16"]) {
            $0["rope_scaling"] = ["type": "longrope", "long_factor": [1, 2], "short_factor": [1, 2]]
        },
        config("longrope elsewhere", "llama", code: .unsupported, says: ["longrope", "LlamaForCausalLM"]) {
            $0["rope_scaling"] = ["type": "longrope", "long_factor": [1, 2], "short_factor": [1, 2]]
        },
        config("mxfp4 elsewhere", "llama", code: .unsupported, says: ["mxfp4"]) {
            $0["quantization_config"] = ["quant_method": "mxfp4"]
        },
        config("kinds of layers", "gpt_oss", says: ["layer_types"]) { $0["layer_types"] = ["full_attention"] },
        config("part of a head", "glm4", says: ["partial_rotary_factor"]) { $0["partial_rotary_factor"] = 1.5 },
        rename(
            "an expert is missing", "mixtral", says: ["layers.1.block_sparse_moe.experts.3.w2.weight", "lacks"],
            from: "model.layers.1.block_sparse_moe.experts.3.w2.weight", to: "x.rotary_emb.inv_freq"),
        rename(
            "an expert beyond the last", "qwen3_moe", code: .unsupported, says: ["experts.8.up_proj"],
            from: "model.layers.0.mlp.experts.7.up_proj.weight", to: "model.layers.0.mlp.experts.8.up_proj.weight"),
        rename(
            "experts in a dense layer", "deepseek_v3", code: .unsupported, says: ["model.layers.0.mlp.gate.weight"],
            from: "model.layers.1.mlp.gate.weight", to: "model.layers.0.mlp.gate.weight"),
        rename(
            "scales are missing", "gpt_oss", says: ["layers.0.mlp.experts.down_proj_scales", "lacks"],
            from: "model.layers.0.mlp.experts.down_proj_scales", to: "x.rotary_emb.inv_freq"),
        Fault(testDescription: "two layouts of experts", family: "qwen3_moe", says: ["same values"]) {
            try $0.editTensors { tensors in
                tensors["model.layers.0.mlp.experts.down_proj"] = ["dtype": "BF16", "shape": [8, 256, 32]]
                ConvertFixture.layOut(&tensors)
            }
        },
        Fault(testDescription: "an expert of another type", family: "mixtral", says: ["experts.1.w1", "BF16"]) {
            try $0.editTensors { tensors in
                let name = "model.layers.0.block_sparse_moe.experts.1.w1.weight"
                var expert = tensors[name] as? [String: Any]
                expert?["dtype"] = "F16"
                tensors[name] = expert
            }
        },
    ]

    @Test(arguments: faults)
    func isRefused(fault: Fault) throws {
        let fixture = try ConvertFixture(fault.family)
        try fault.damage(fixture)
        let error = try #require(SourceModel.failure(fixture))
        #expect(error.code == fault.code, "\(error)")
        for words in fault.says { #expect(error.description.contains(words), "\(error)") }
    }
}
