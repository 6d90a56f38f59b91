import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Which channels each family lets methods rescale, and what becomes of the tensors.
@Suite struct FoldPlanTests {
    private static func describe(_ fold: Fold) -> String {
        let producer =
            switch fold.producer {
            case .norm(let norm): norm.weight
            case .rows(let weight, let first, _): "\(weight) \(first)"
            }
        let readers = fold.readers.joined(separator: ", ")
        return "\(producer) → \(readers)\(fold.matrix > 0 ? " [\(fold.matrix)]" : "")"
            .replacing(".weight", with: "").replacing("blk.0.", with: "").replacing("blk.1.", with: "")
    }

    /// - Parameter expected: of the layer, in the order of the forward pass; the rows of the first expert only.
    @Test(arguments: [
        ("llama", 0, ["attn_norm → attn_q, attn_k, attn_v", "ffn_norm → ffn_gate, ffn_up", "ffn_up 0 → ffn_down"]),
        ("qwen2", 0, ["attn_norm → attn_q, attn_k, attn_v", "ffn_norm → ffn_gate, ffn_up", "ffn_up 0 → ffn_down"]),
        ("gemma2", 0, ["attn_norm → attn_q, attn_k, attn_v", "ffn_norm → ffn_gate, ffn_up", "ffn_up 0 → ffn_down"]),
        ("mixtral", 0, ["attn_norm → attn_q, attn_k, attn_v", "ffn_up_exps 0 → ffn_down_exps"]),
        ("gpt_oss", 0, ["attn_norm → attn_q, attn_k, attn_v"]),
    ])
    func familiesHaveThese(_ family: String, _ layer: Int, _ expected: [String]) throws {
        let model = try ConvertFixture(family).open()
        let folds = try DecoderGraph.of(model).folds.filter { $0.input.layer == layer && $0.matrix == 0 }
        let queries = try #require(DecoderGraph.of(model).layers.first).attention
        let found = folds.map(Self.describe)
        // Values only where every head of queries has its own.
        #expect(found.contains { $0.hasSuffix("→ attn_output") } == (queries.heads == queries.keyValueHeads))
        #expect(found.filter { !$0.hasSuffix("→ attn_output") } == expected)
    }

    @Test func fusedProjectionsAreCutByRows() throws {
        let model = try ConvertFixture("phi3").open()
        let graph = try DecoderGraph.of(model)
        let folds = graph.folds.filter { $0.input.layer == 0 }.map(Self.describe)
        let width = try #require(model.tensors.first { $0.name == "blk.0.ffn_down.weight" }).columns
        #expect(folds.contains("attn_norm → attn_qkv") && folds.contains("ffn_norm → ffn_up"))
        #expect(folds.contains("ffn_up \(width) → ffn_down"))
    }

    @Test func latentAttentionHasItsNorms() throws {
        let folds = try DecoderGraph.of(ConvertFixture("deepseek_v3").open()).folds.filter { $0.input.layer == 0 }
        let found = folds.map(Self.describe)
        #expect(found.prefix(2) == ["attn_norm → attn_q_a, attn_kv_a_mqa", "attn_q_a_norm → attn_q_b"])
    }

    @Test func tensorsAreRescaledTogether() throws {
        let plan = try MethodPlan.plan(Fixtures.sample, [Recipe.Target(compressedTensors: "W4A16", method: .awq)])
        var rescalings: [String: [Rescaling]] = [:]
        for span in plan.encodeWork.flatMap(\.spans) {
            for output in span.outputs where !output.rescalings.isEmpty { rescalings[span.tensor] = output.rescalings }
        }
        func item(_ tensor: String, _ kind: Rescaling.Kind) -> Int? {
            rescalings["model.layers.1.\(tensor).weight"]?.first { $0.kind == kind }?.item
        }
        let norm = try #require(item("input_layernorm", .elements))
        for reader in ["q_proj", "k_proj", "v_proj"] { #expect(item("self_attn.\(reader)", .inputs) == norm) }
        let up = try #require(item("mlp.up_proj", .outputs))
        #expect(item("mlp.down_proj", .inputs) == up && up != norm)
        guard case .balance(let work) = plan.items[norm].payload else {
            Issue.record("item \(norm) is no balance")
            return
        }
        #expect(work.rule == .search && work.readers.count == 3 && work.norm?.addend == 0)
        // Whoever takes a vector waits for it.
        for item in plan.items {
            guard case .encode(let work) = item.payload else { continue }
            let needed = work.spans.flatMap(\.outputs).flatMap(\.rescalings).map(\.item)
            #expect(Set(needed).isSubset(of: item.dependencies))
        }
        #expect(plan.publishWork?.recipe.contains(#""gram":true"#) == true)
    }

    @Test func smoothingStaysBehindNorms() throws {
        let plan = try MethodPlan.plan(
            Fixtures.sample, [Recipe.Target(compressedTensors: "W8A8", method: .smoothquantGPTQ)])
        let rescalings = plan.encodeWork.flatMap(\.spans).flatMap(\.outputs).flatMap(\.rescalings)
        #expect(!rescalings.isEmpty && rescalings.allSatisfy { $0.kind != .outputs })
        let balanced = plan.items.compactMap { item -> Int? in
            if case .factor(let work) = item.payload { work.balance } else { nil }
        }
        // Two norms in each layer.
        #expect(Set(balanced).count == 8)
    }

    @Test func expertsAndRowsOfGGUFAreRescaledWhereTheyLie() throws {
        let fixture = try ConvertFixture("mixtral")
        let plan = try MethodPlan.plan(fixture.path, [Recipe.Target(gguf: "Q8_0", method: .awq)])
        let spans = plan.encodeWork.flatMap(\.spans)
        let down = try #require(spans.first { $0.tensor == "blk.0.ffn_down_exps.weight" })
        let matrix = try #require(down.outputs.first).rescalings
        #expect(matrix.count > 1 && matrix.map(\.first) == matrix.indices.map { $0 * matrix[0].count })
        #expect(Set(matrix.map(\.item)).count == matrix.count)
        let up = try #require(spans.first { $0.tensor == "blk.0.ffn_up_exps.weight" }?.outputs.first).rescalings
        #expect(up.map(\.item) == matrix.map(\.item) && up.allSatisfy { $0.kind == .outputs })
    }

    @Test func layersThatStayKeepTheirNorm() throws {
        let target = Recipe.Target(compressedTensors: "W4A16", method: .awq, ignore: ["re:.*layers.2.self_attn.*"])
        let plan = try MethodPlan.plan(Fixtures.sample, [target])
        let spans = plan.encodeWork.flatMap(\.spans)
        func isRescaled(_ tensor: String) -> Bool {
            spans.contains { $0.tensor == tensor && $0.outputs.contains { !$0.rescalings.isEmpty } }
        }
        #expect(!isRescaled("model.layers.2.input_layernorm.weight"))
        #expect(isRescaled("model.layers.2.post_attention_layernorm.weight"))
        #expect(isRescaled("model.layers.1.input_layernorm.weight"))
    }

    @Test func refusesWhatCannotBe() throws {
        func refusal(_ target: Recipe.Target, calibrates: Bool = true) throws -> QuernError {
            try #require(throws: QuernError.self) {
                try MethodPlan.plan(Fixtures.sample, [target]) { if !calibrates { $0.calibration = nil } }
            }
        }
        #expect(try refusal(.init(compressedTensors: "NVFP4A16", method: .awq)).message.contains("NVFP4A16"))
        #expect(
            try refusal(.init(compressedTensors: "W8A8", method: .smoothquant), calibrates: false).remedy
                .contains("text to calibrate"))
        #expect(try refusal(.init(gguf: "Q4_K_M", method: .awq), calibrates: false).remedy.contains("text"))
        #expect(try refusal(.init(gguf: "Q4_K_M", method: .gptq)).message.contains("gptq"))
    }
}
