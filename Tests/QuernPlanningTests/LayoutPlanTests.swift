import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// Folders as AutoAWQ, GPTQModel and bitsandbytes store them, from headers alone.
@Suite struct LayoutPlanTests {
    private func plan(_ target: Recipe.Target, _ family: String = "llama") throws -> Plan {
        let fixture = try ConvertFixture(family)
        return try withExtendedLifetime(fixture) {
            try Planner.plan(Recipe(source: fixture.path, name: "m", targets: [target]))
        }
    }

    /// What is written is what is read.
    @Test(arguments: [
        ("AWQ_GEMM", WeightStorage(.packed(bits: 4, group: 128, isSymmetric: false), layout: .awq)),
        ("AWQ_GEMM_G32", WeightStorage(.packed(bits: 4, group: 32, isSymmetric: false), layout: .awq)),
        ("GPTQ_INT4", WeightStorage(.packed(bits: 4, group: 128, isSymmetric: true), layout: .gptq)),
        ("GPTQ_INT8_CHANNEL", WeightStorage(.packed(bits: 8, group: nil, isSymmetric: true), layout: .gptq)),
        ("BNB_NF4", WeightStorage(.nf4, layout: .bitsandbytes)),
        ("BNB_INT8", WeightStorage(.absmax8, layout: .bitsandbytes)),
    ]) func theConfigurationTellsTheStorage(name: String, storage: WeightStorage) throws {
        let target = try #require(
            Recipe.Target(schemeNamed: name, layers: [.init(pattern: "re:.*o_proj", scheme: "none")]))
        let plan = try plan(target)
        let description = try QuantizationDescription(plan.quantizationConfig())
        #expect(description.group(of: "model.layers.0.mlp.up_proj")?.weights?.storage == storage)
        #expect(description.group(of: "model.layers.0.self_attn.o_proj") == nil)
        #expect(description.group(of: "lm_head") == nil)
        let tensors = Dictionary(
            plan.targets[0].tensors.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
        for component in storage.components {
            let shape = storage.shape(of: component, rows: 512, columns: 256)
            #expect(tensors["model.layers.0.mlp.up_proj.\(component.rawValue)"] == shape, "\(component)")
        }
        #expect(tensors["model.layers.0.self_attn.o_proj.weight"] != nil)
    }

    /// Columns of the file: the share of each span in every line.
    @Test func spansOfTransposedTensorsLieBesideEachOther() throws {
        let plan = try plan(Recipe.Target(compressedTensors: "GPTQ_INT4"))
        let name = "model.layers.0.mlp.up_proj.qweight"
        let placement = try #require(
            plan.items.lazy.compactMap { item -> TensorPlacement? in
                guard case .assemble(let work) = item.payload else { return nil }
                return work.tensors.first { $0.name == name }
            }.first)
        #expect(placement.lines == 32 && placement.bytes == 32 * 512 * 4)
        let places = plan.items.flatMap { item -> [PartPlace] in
            guard case .encode(let work) = item.payload else { return [] }
            return work.spans.flatMap(\.outputs).filter {
                if case .component(.transposedWeight, _) = $0.encoding { true } else { false }
            }.flatMap(\.places)
        }
        #expect(places.contains { $0.offset == placement.offset && $0.lines == .init(length: 2048, stride: 2048) })
    }

    /// transformers puts experts together as it loads them, but not those of every scheme.
    @Test func expertsThatTransformersDoesNotLoad() throws {
        let kept = try plan(Recipe.Target(compressedTensors: "BNB_INT8"), "qwen2_moe")
        #expect(kept.warnings.contains { $0.contains("bitsandbytes has no experts; model.layers.0.mlp.experts.0.") })
        let types = Dictionary(
            kept.targets[0].tensors.map { ($0.name, "\($0.type)") }, uniquingKeysWith: { first, _ in first })
        #expect(types["model.layers.0.mlp.experts.0.up_proj.weight"] == "BF16")
        #expect(types["model.layers.0.self_attn.q_proj.weight"] == "I8")
        let said = "transformers (5.17) does not load experts"
        for (scheme, isSaid) in [("W8A8", true), ("FP8_DYNAMIC", false), ("W4A16_ASYM", true), ("GPTQ_INT4", false)] {
            let target = Recipe.Target(
                compressedTensors: scheme, groupSize: scheme.hasPrefix("W4") || scheme.hasPrefix("GPTQ") ? 32 : nil)
            #expect(try plan(target, "qwen2_moe").warnings.contains { $0.contains(said) } == isSaid, "\(scheme)")
        }
    }

    @Test func refusesWhatNoLoaderReads() throws {
        func refusal(_ target: Recipe.Target) throws -> QuernError {
            try #require(throws: QuernError.self) { try plan(target) }
        }
        #expect(
            try refusal(.init(compressedTensors: "AWQ_GEMM", groupSize: 0)).message
                == "no loader knows groups of whole rows in AWQ_GEMM")
        #expect(try refusal(.init(compressedTensors: "BNB_NF4", groupSize: 32)).location == "group_size")
        let error = try #require(throws: QuernError.self) {
            try MethodPlan.plan(Fixtures.sample, [.init(compressedTensors: "BNB_NF4", method: .awq)])
        }
        #expect(error.message.contains("rounded to nearest"))
        let mixture = Recipe.Target(
            compressedTensors: "GPTQ_INT4", layers: [.init(pattern: "re:.*down_proj", scheme: "W8A8")])
        #expect(try refusal(mixture).location == "layers")
    }
}
