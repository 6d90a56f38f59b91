import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// Several schemes in one folder, from headers alone.
@Suite struct LayerSchemeTests {
    private typealias Rule = Recipe.LayerRule

    private func plan(_ family: String, _ scheme: String, _ rules: [(String, String)], ignore: [String] = []) throws
        -> Plan
    {
        let target = Recipe.Target(
            compressedTensors: scheme, ignore: ignore, layers: rules.map { Rule(pattern: $0.0, scheme: $0.1) })
        let fixture = try ConvertFixture(family)
        return try withExtendedLifetime(fixture) {
            try Planner.plan(Recipe(source: fixture.path, name: "m", targets: [target]))
        }
    }

    private func targets(_ group: String, _ configuration: JSONObject) -> [String] {
        configuration["config_groups"]?.object?[group]?.object?["targets"]?.array?.compactMap(\.string) ?? []
    }

    @Test func eachSchemeHasItsGroup() throws {
        let plan = try plan(
            "llama", "FP8_DYNAMIC",
            [("re:.*down_proj", "w8a16_g32"), ("model.layers.1.self_attn.o_proj", "Keep"), ("re:.*o_proj", "W8A8")])
        #expect(plan.warnings.isEmpty)
        let configuration = try plan.quantizationConfig()
        #expect(configuration["format"]?.string == "mixed-precision")
        let groups = try #require(configuration["config_groups"]?.object)
        #expect(
            groups.entries.map { $0.value.object?["format"]?.string }
                == ["float-quantized", "pack-quantized", "int-quantized"])
        #expect(targets("group_0", configuration) == ["Linear"])
        #expect(
            targets("group_1", configuration)
                == ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"])
        #expect(targets("group_2", configuration) == ["model.layers.0.self_attn.o_proj"])
        #expect(
            configuration["ignore"]?.array?.compactMap(\.string).contains("model.layers.1.self_attn.o_proj") == true)
        let types = Dictionary(
            plan.targets[0].tensors.map { ($0.name, "\($0.type)") }, uniquingKeysWith: { first, _ in first })
        #expect(types["model.layers.0.mlp.down_proj.weight_packed"] == "I32")
        #expect(types["model.layers.0.self_attn.o_proj.weight"] == "I8")
        #expect(types["model.layers.1.self_attn.o_proj.weight"] == "BF16")
        #expect(types["model.layers.0.self_attn.q_proj.weight"] == "F8_E4M3")
    }

    /// What the description says of every layer is what was planned for it.
    @Test func loadersFindWhatWasPlanned() throws {
        let plan = try plan(
            "qwen2_moe", "W8A8", [("re:.*layers\\.1\\.mlp\\.experts", "FP8_DYNAMIC"), ("re:.*o_proj", "W8A16_CHANNEL")])
        let description = try QuantizationDescription(plan.quantizationConfig())
        #expect(description.groups.count == 3)
        for tensor in plan.targets[0].tensors where tensor.name.hasSuffix(".weight") && tensor.shape.count == 2 {
            let layer = String(tensor.name.dropLast(".weight".count))
            guard !layer.contains("embed") else { continue }
            let expected: WeightFormat? =
                switch "\(tensor.type)" {
                case "I8": .integer
                case "F8_E4M3": .float
                default: nil
                }
            #expect(description.group(of: layer)?.weights?.storage.numbers == expected, "\(layer)")
        }
        let expression = #"re:(.*\.)?layers\.1\.mlp\.experts\.\d+\."#
        let configuration = try plan.quantizationConfig()
        #expect(["group_1", "group_2"].contains { targets($0, configuration) == [expression] })
        #expect(plan.warnings.count == 2 && plan.warnings[0].contains("transformers loads experts of one scheme only"))
        #expect(plan.warnings.last?.hasSuffix("does not load experts in W8A8") == true)
    }

    @Test func oneSchemeUnderTwoNamesIsOneGroup() throws {
        let configuration = try plan("llama", "W8A16", [("re:.*down", "W8A16_G128")]).quantizationConfig()
        #expect(configuration["format"]?.string == "pack-quantized")
        #expect(configuration["config_groups"]?.object?.count == 1)
    }

    @Test func aTargetWithoutLayersOfItsOwnIsNoGroup() throws {
        let configuration = try plan("llama", "W8A8", [("re:.*", "FP8_BLOCK")]).quantizationConfig()
        #expect(configuration["format"]?.string == "float-quantized")
        #expect(targets("group_0", configuration) == ["Linear"])
    }

    @Test(arguments: [
        ("llama", "re:.*q_proj", "FP8_BLOCK", ["k_proj", "q_proj"]),
        ("llama", "re:.*up_proj", "none", ["gate_proj", "up_proj"]),
        ("mixtral", "re:.*w2", "W8A16_CHANNEL", ["experts.0.w"]),
        ("qwen2_moe", "re:.*experts\\.0\\.", "FP8_DYNAMIC", ["experts.0.", "experts."]),
        ("deepseek_v3", "re:.*kv_a_proj", "FP8_DYNAMIC", ["q_a_proj", "kv_a_proj_with_mqa"]),
    ]) func refusesDifferentSchemesOfWhatIsPutTogether(
        family: String, pattern: String, scheme: String, names: [String]
    ) throws {
        let error = try #require(throws: QuernError.self) { try plan(family, "W8A8", [(pattern, scheme)]) }
        #expect(error.code == .usage && error.message.contains("vLLM puts"))
        for name in names { #expect(error.message.contains(name), "\(error)") }
    }

    @Test func whatIsIgnoredMustGoTogetherToo() throws {
        let error = try #require(throws: QuernError.self) { try plan("llama", "W8A8", [], ignore: ["re:.*v_proj"]) }
        #expect(error.message.contains("W8A8 and none"))
    }

    @Test func rulesThatMeetNothingAreToldOf() throws {
        let plan = try plan("llama", "W8A8", [("q_proj", "W8A16")])
        #expect(plan.warnings.count == 1 && plan.warnings[0].contains("q_proj"))
    }

    @Test(arguments: [
        ("re:(", "W8A8", "no regular expression"), ("a", "W9", "unknown scheme"), ("a", "Q4_K_M", "unknown"),
    ])
    func refusesRulesThatMakeNoSense(pattern: String, scheme: String, message: String) throws {
        let error = try #require(throws: QuernError.self) { try plan("llama", "W8A8", [(pattern, scheme)]) }
        #expect(error.code == .usage && error.message.contains(message) && error.location.contains("layers"))
    }
}
