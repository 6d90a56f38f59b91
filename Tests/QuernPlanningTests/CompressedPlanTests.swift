import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// What safetensors targets are planned to be, from headers alone.
@Suite struct CompressedPlanTests {
    private func plan(
        _ fixture: ConvertFixture, _ targets: [Recipe.Target], split: Recipe.SplitLimits? = nil,
        change: (inout Recipe) -> Void = { _ in }
    ) throws -> Plan {
        var recipe = Recipe(source: fixture.path, name: "m", targets: targets, split: split)
        change(&recipe)
        return try Planner.plan(recipe)
    }

    private func file(_ name: String, of plan: Plan) throws -> JSONObject {
        let work = try #require(
            plan.items.compactMap { item -> AssembleWork? in
                if case .assemble(let work) = item.payload, work.file == name { work } else { nil }
            }.first)
        let bytes = try work.header.flatMap { try #require(plan.blobs[$0]) }
        return try #require(try JSONValue.parse(bytes).object)
    }

    private func ignored(_ plan: Plan, _ target: String) throws -> Set<String> {
        let config = try file("m-\(target)/config.json", of: plan)
        let list = config["quantization_config"]?.object?["ignore"]?.array ?? []
        return Set(list.compactMap(\.string))
    }

    @Test func headsRoutersAndEmbeddingsStayAsTheyAre() throws {
        let plan = try plan(try ConvertFixture("qwen2_moe"), [Recipe.Target(compressedTensors: "FP8_DYNAMIC")])
        let target = try #require(plan.targets.first)
        let types = Dictionary(uniqueKeysWithValues: target.tensors.map { ($0.name, $0.type) })
        #expect(types["model.embed_tokens.weight"] == types["model.norm.weight"])
        #expect(types["model.layers.0.mlp.gate.weight"] == .element(.bf16))
        #expect(types["model.layers.0.mlp.shared_expert_gate.weight"] == .element(.bf16))
        #expect(types["model.layers.0.mlp.experts.3.up_proj.weight"] == .stored(.f8_E4M3))
        #expect(types["model.layers.0.mlp.experts.3.up_proj.weight_scale"] == .element(.bf16))
        #expect(types["model.layers.0.self_attn.q_proj.bias"] == .element(.bf16))
        let ignored = try ignored(plan, "FP8_DYNAMIC")
        #expect(
            ignored.isSuperset(of: ["lm_head", "model.layers.0.mlp.gate", "model.layers.0.mlp.shared_expert_gate"]))
        #expect(!ignored.contains("model.embed_tokens"))
    }

    @Test func usersMayNameMore() throws {
        let ignore = ["model.layers.0.self_attn.o_proj", #"re:.*\.mlp\.down"#]
        let plan = try plan(try ConvertFixture("llama"), [Recipe.Target(compressedTensors: "W8A8", ignore: ignore)])
        let names = Set(plan.targets[0].tensors.map(\.name))
        #expect(!names.contains("model.layers.0.self_attn.o_proj.weight_scale"))
        #expect(!names.contains("model.layers.1.mlp.down_proj.weight_scale"))
        #expect(names.contains("model.layers.1.self_attn.o_proj.weight_scale"))
        #expect(
            try ignored(plan, "W8A8").isSuperset(
                of: ["model.layers.0.self_attn.o_proj", "model.layers.1.mlp.down_proj", "lm_head"]))
    }

    @Test func theConfigurationSaysHowToRead() throws {
        let plan = try plan(
            try ConvertFixture("llama"), [Recipe.Target(compressedTensors: "W4A16_ASYM", groupSize: 32)])
        let config = try file("m-W4A16_ASYM_G32/config.json", of: plan)
        #expect(config["architectures"]?.array?.first?.string == "LlamaForCausalLM")
        let quantization = try #require(config["quantization_config"]?.object)
        #expect(quantization["quant_method"]?.string == "compressed-tensors")
        #expect(quantization["format"]?.string == "pack-quantized")
        let weights = quantization["config_groups"]?.object?["group_0"]?.object?["weights"]?.object
        #expect(weights?["group_size"]?.integer == 32 && weights?["num_bits"]?.integer == 4)
        #expect(weights?["symmetric"]?.bool == false && weights?["strategy"]?.string == "group")
    }

    @Test func anyArchitectureWillDo() throws {
        let fixture = try ConvertFixture("llama")
        try fixture.edit("config.json") {
            $0["architectures"] = ["SomethingNewForCausalLM"]
            $0["model_type"] = "something_new"
        }
        #expect(try plan(fixture, [Recipe.Target(compressedTensors: "MXFP4")]).items.count > 3)
        #expect(throws: QuernError.self) {
            try plan(fixture, [Recipe.Target(compressedTensors: "MXFP4"), Recipe.Target(gguf: "Q4_K_M")])
        }
    }

    @Test func shardsKeepToTheLimitAndAnIndexNamesThem() throws {
        let plan = try plan(
            try ConvertFixture("llama"), [Recipe.Target(compressedTensors: "W8A8")], split: .init(maxBytes: 100_000))
        let shards = plan.targets[0].files.filter { $0.name.hasSuffix(".safetensors") }
        #expect(shards.count > 1)
        let index = try file("m-W8A8/model.safetensors.index.json", of: plan)
        let map = try #require(index["weight_map"]?.object)
        #expect(Set(map.keys) == Set(plan.targets[0].tensors.map(\.name)))
        #expect(Set(map.entries.compactMap(\.value.string)).count == shards.count)
        #expect(
            index["metadata"]?.object?["total_size"]?.integer
                == Int64(plan.targets[0].tensors.reduce(0) { $0 + $1.bytes }))
    }

    @Test func inputsThatAreNoWholeGroupsAreKept() throws {
        let fixture = try ConvertFixture("llama")
        let plan = try plan(fixture, [Recipe.Target(compressedTensors: "W4A16")])
        let tensors = plan.targets[0].tensors
        let kept = tensors.filter { $0.name.hasSuffix("_proj.weight") }
        for tensor in kept { #expect(tensor.shape[1] % 128 != 0, "\(tensor.name)") }
        #expect(kept.isEmpty == plan.warnings.isEmpty)
        // What is packed counts for the weights in it, its scales for none.
        let stored = try Checkpoint.open(path: fixture.path).shards.flatMap(\.header.tensors)
        #expect(tensors.reduce(0) { $0 + $1.weights } == stored.reduce(0) { $0 + $1.shape.reduce(1, *) })
    }

    @Test func refusesWhatItCannotBe() throws {
        func refusal(_ target: Recipe.Target, change: (inout Recipe) -> Void = { _ in }) throws -> QuernError {
            let fixture = try ConvertFixture("llama")
            return try #require(throws: QuernError.self) { try plan(fixture, [target], change: change) }
        }
        let scheme = Recipe.Target(compressedTensors: "W4A16")
        #expect(try refusal(Recipe.Target(compressedTensors: "W5A5")).message.contains("unknown scheme 'W5A5'"))
        #expect(try refusal(Recipe.Target(compressedTensors: "W8A8", groupSize: 32)).location == "group_size")
        #expect(try refusal(Recipe.Target(compressedTensors: "W4A16", groupSize: 48)).message.contains("groups of 48"))
        #expect(try refusal(Recipe.Target(compressedTensors: "W4A16", ignore: ["re:("])).location == "ignore")
        #expect(try refusal(scheme) { $0.pruneLayers = [0] }.location == "prune_layers")
        #expect(try refusal(scheme) { $0.source = Fixtures.path("gguf/granite-header.gguf") }.code == .unsupported)
        #expect(try refusal(Recipe.Target(compressedTensors: "W4A16", ignore: ["re:model"])).code == .invalidInput)
        let quantized = try ConvertFixture("llama")
        try quantized.edit("config.json") { $0["quantization_config"] = ["quant_method": "hqq"] }
        let error = try #require(throws: QuernError.self) { try plan(quantized, [scheme]) }
        #expect(error.message.contains("quantized already") && error.message.contains("hqq"))
    }

    @Test(
        arguments: [
            ("W4A16", "W4A16", nil), ("w8a16_channel", "W8A16", 0), ("W4A16_ASYM_G32", "W4A16_ASYM", 32),
        ] as [(String, String, Int?)])
    func namesSaySchemeAndGroup(name: String, scheme: String, group: Int?) throws {
        #expect(Recipe.Target(schemeNamed: name) == Recipe.Target(compressedTensors: scheme, groupSize: group))
    }

    @Test(arguments: ["Q4_K_M", "W4A16_", "W4A16_GX", "MXFP4_MOE"])
    func otherNamesAreNoSchemes(name: String) {
        #expect(Recipe.Target(schemeNamed: name) == nil)
    }
}
