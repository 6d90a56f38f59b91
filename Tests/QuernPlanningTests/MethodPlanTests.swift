import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// What methods of safetensors targets ask for, and which layer takes what from whom.
@Suite struct MethodPlanTests {
    /// For each layer, the rounding of its weights and what they are weighted by.
    private func roundings(_ plan: Plan) -> [String: (QuantizedWeight.Rounding, Importance?)] {
        var found: [String: (QuantizedWeight.Rounding, Importance?)] = [:]
        for span in plan.encodeWork.flatMap(\.spans) {
            for output in span.outputs {
                guard case .component(_, let weight) = output.encoding else { continue }
                found[String(span.tensor.dropLast(".weight".count))] = (weight.rounding, output.importance)
            }
        }
        return found
    }

    private func factor(_ plan: Plan, _ rounding: QuantizedWeight.Rounding?) -> StatisticsReference? {
        guard let item = rounding?.factor, case .factor(let work) = plan.items[item].payload else { return nil }
        return work.input
    }

    @Test(
        arguments: [
            (
                "llama",
                [
                    ("self_attn.q_proj", "attn_q", 0), ("self_attn.o_proj", "attn_output", 0),
                    ("mlp.up_proj", "ffn_gate", 0),
                ]
            ),
            (
                "phi3",
                [
                    ("self_attn.qkv_proj", "attn_qkv", 0), ("mlp.gate_up_proj", "ffn_up", 0),
                    ("mlp.down_proj", "ffn_down", 0),
                ]
            ),
            ("gemma2", [("self_attn.k_proj", "attn_q", 0), ("mlp.down_proj", "ffn_down", 0)]),
            (
                "mixtral",
                [
                    ("block_sparse_moe.experts.2.w1", "ffn_gate_exps", 2),
                    ("block_sparse_moe.experts.1.w2", "ffn_down_exps", 1),
                ]
            ),
            (
                "deepseek_v3",
                [
                    ("self_attn.q_a_proj", "attn_q_a", 0), ("mlp.down_proj", "ffn_down", 0),
                ]
            ),
        ] as [(String, [(String, String, Int)])])
    func layersTakeTheFactorOfWhatTheyRead(_ family: String, _ layers: [(String, String, Int)]) throws {
        let fixture = try ConvertFixture(family)
        let plan = try MethodPlan.plan(
            fixture.path, [Recipe.Target(compressedTensors: "W4A16", groupSize: 32, method: .gptq)])
        let merged = try #require(plan.items.firstIndex { $0.payload.stage == .merge })
        let roundings = roundings(plan)
        for (layer, tensor, matrix) in layers {
            let name = "model.layers.0.\(layer)"
            let input = try #require(factor(plan, roundings[name]?.0), "\(name) of \(roundings.keys.sorted())")
            #expect(input.merged == merged && input.matrix == matrix)
            // Any tensor that reads the input names it.
            #expect(input.tensor.hasPrefix("blk.0."), "\(name): \(input.tensor)")
            let readers = plan.items.compactMap { item -> String? in
                if case .factor(let work) = item.payload { work.input.tensor } else { nil }
            }
            #expect(readers.contains { $0 == "blk.0.\(tensor).weight" } || readers.contains(input.tensor))
        }
    }

    @Test func layersThatReadTheSameShareAFactor() throws {
        let plan = try MethodPlan.plan(Fixtures.sample, [Recipe.Target(compressedTensors: "W4A16", method: .gptq)])
        let roundings = roundings(plan).mapValues(\.0)
        func factor(_ layer: String) -> Int? { roundings["model.layers.1.\(layer)"]?.factor }
        #expect(factor("self_attn.q_proj") != nil)
        #expect(factor("self_attn.q_proj") == factor("self_attn.k_proj"))
        #expect(factor("self_attn.q_proj") == factor("self_attn.v_proj"))
        #expect(factor("mlp.gate_proj") == factor("mlp.up_proj"))
        #expect(Set(roundings.values.compactMap(\.factor)).count == 16)
        #expect(roundings.values.allSatisfy { $0.searches && $0.magnitudes == nil })
        let factors = plan.items.indices.filter { plan.items[$0].payload.stage == .factor }
        #expect(factors.count == 16)
        let merged = try #require(plan.items.firstIndex { $0.payload.stage == .merge })
        #expect(factors.allSatisfy { plan.items[$0].dependencies == [merged] })
        for item in plan.items {
            guard case .encode(let work) = item.payload else { continue }
            let needed = work.spans.flatMap(\.outputs).flatMap { output -> [Int] in
                if case .component(_, let weight) = output.encoding { weight.rounding.items } else { [] }
            }
            #expect(item.dependencies == Set(needed).sorted())
        }
        // Statistics come with Gram matrices without being asked for, and the manifest's recipe says so.
        #expect(plan.publishWork?.recipe.contains(#""gram":true"#) == true)
    }

    @Test func importanceIsThatOfTheExpert() throws {
        let fixture = try ConvertFixture("mixtral")
        let plan = try MethodPlan.plan(
            fixture.path, [Recipe.Target(compressedTensors: "W4A16", groupSize: 32, method: .imatrix)])
        let merged = try #require(plan.items.firstIndex { $0.payload.stage == .merge })
        let found = roundings(plan)
        let expert = try #require(found["model.layers.1.block_sparse_moe.experts.3.w3"])
        #expect(expert.0 == QuantizedWeight.Rounding(searches: true))
        #expect(expert.1?.vectors == .merged(item: merged, tensor: "blk.1.ffn_up_exps.weight"))
        #expect(expert.1?.firstMatrix == 3 && expert.1?.matrix(of: 0) == 3)
        #expect(found["model.layers.1.self_attn.q_proj"]?.1?.firstMatrix == 0)
    }

    @Test func joinedLayersAreScannedTogether() throws {
        let targets = [Recipe.Target(compressedTensors: "NVFP4"), Recipe.Target(compressedTensors: "NVFP4A16")]
        let plan = try MethodPlan.plan(Fixtures.sample, targets)
        let scans = plan.items.compactMap { item -> ScanWork? in
            if case .scan(let work) = item.payload { work } else { nil }
        }
        // Four to a layer, once with the input and once without.
        #expect(scans.count == 2 * 4 * 4)
        let names = scans.map { $0.spans.map(\.tensor) }
        let attention = ["q_proj", "k_proj", "v_proj"].map { "model.layers.2.self_attn.\($0).weight" }
        #expect(names.filter { Set($0) == Set(attention) }.count == 2)
        #expect(scans.filter { $0.input != nil }.count == 16)
        #expect(scans.allSatisfy { work in work.spans.allSatisfy { $0.outputs.isEmpty && $0.rows > 0 } })
        let tensors = try #require(plan.targets.first).tensors.map(\.name)
        #expect(tensors.contains("model.layers.0.mlp.up_proj.input_global_scale"))
        #expect(!plan.targets[1].tensors.contains { $0.name.hasSuffix("input_global_scale") })
    }

    @Test func namesTellMethodsApart() throws {
        func names(_ targets: [Recipe.Target]) throws -> [String] {
            try MethodPlan.plan(Fixtures.sample, targets).targets.map(\.target)
        }
        let nearest = Recipe.Target(compressedTensors: "W4A16")
        let gptq = Recipe.Target(compressedTensors: "w4a16", method: .gptq)
        #expect(try names([gptq]) == ["W4A16"])
        #expect(try names([nearest, gptq]) == ["W4A16", "W4A16_GPTQ"])
        #expect(
            Recipe.Target(schemeNamed: "W4A16_G32_GPTQ")
                == .init(compressedTensors: "W4A16", groupSize: 32, method: .gptq))
        #expect(Recipe.Target(schemeNamed: "W8A8_imatrix") == .init(compressedTensors: "W8A8", method: .imatrix))
        #expect(Recipe.Target(schemeNamed: "W4A16_BEST") == nil)
    }

    @Test func refusesWhatCannotBeKnown() throws {
        func refusal(_ target: Recipe.Target) throws -> QuernError {
            try #require(throws: QuernError.self) {
                try MethodPlan.plan(Fixtures.sample, [target]) { $0.calibration = nil }
            }
        }
        #expect(try refusal(.init(compressedTensors: "W4A16", method: .gptq)).remedy.contains("text to calibrate"))
        #expect(try refusal(.init(compressedTensors: "W4A16", method: .imatrix)).message.contains("importance matrix"))
        #expect(try refusal(.init(compressedTensors: "NVFP4")).remedy.contains("NVFP4A16"))
        #expect(
            try refusal(.init(compressedTensors: "W4A16", layers: [.init(pattern: "re:.*up", scheme: "W8A16_GPTQ")]))
                .message.contains("names a method"))
    }

    @Test func saysOfWhichLayersNothingIsKnown() throws {
        let fixture = try ConvertFixture("deepseek_v3")
        let plan = try MethodPlan.plan(
            fixture.path, [Recipe.Target(compressedTensors: "W4A16", groupSize: 32, method: .gptq)])
        #expect(plan.warnings.contains { $0.contains("nothing is known of what") && $0.contains("kv_b_proj") })
    }
}
