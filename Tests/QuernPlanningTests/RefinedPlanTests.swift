import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// Plans of GGUFs whose blocks make good each other's errors.
struct RefinedPlanTests {
    private func outputs(_ plan: Plan) -> [String: EncodeOutput] {
        var found: [String: EncodeOutput] = [:]
        for span in plan.encodeWork.flatMap(\.spans) { found[span.tensor] = span.outputs.first }
        return found
    }

    private func factors(_ plan: Plan, _ output: EncodeOutput?) throws -> [FactorWork] {
        try #require(output?.refinement).factors.map { item in
            guard case .factor(let work) = plan.items[item].payload else {
                throw QuernError(.internalFault, "item \(item) is none that factors")
            }
            return work
        }
    }

    @Test func isUsualWhereATextIsCalibratedOn() throws {
        let plan = try MethodPlan.plan(Fixtures.sample, [.init(gguf: "Q4_K_M")])
        let outputs = outputs(plan)
        for name in ["blk.0.attn_q.weight", "blk.3.ffn_down.weight", "output.weight"] {
            let work = try #require(try factors(plan, outputs[name]).first)
            #expect(work.unit == 256 && work.balance == nil && outputs[name]?.importance != nil)
        }
        // Embeddings are looked up, not multiplied.
        #expect(outputs["token_embd.weight"]?.refinement == nil)
        #expect(outputs["blk.0.attn_norm.weight"]?.refinement == nil)
        // What reads one input shares its factor.
        let ofOne = ["attn_q", "attn_k", "attn_v"].map { outputs["blk.1.\($0).weight"]?.refinement?.factors }
        #expect(Set(ofOne).count == 1)
        #expect(plan.publishWork?.encoder == EncoderVersion.refined)
        #expect(plan.publishWork?.recipe.contains(#""encoder":"refined""#) == true)
        for item in plan.items {
            guard case .encode(let work) = item.payload else { continue }
            let needed = work.spans.flatMap { $0.outputs.flatMap { $0.refinement?.factors ?? [] } }
            #expect(Set(needed).isSubset(of: item.dependencies))
        }
    }

    @Test func referenceOnRequest() throws {
        let plan = try MethodPlan.plan(Fixtures.sample, [.init(gguf: "Q4_K_M")]) { $0.encoder = .reference }
        #expect(outputs(plan).values.allSatisfy { $0.refinement == nil })
        #expect(!plan.items.contains { $0.payload.stage == .factor })
        #expect(plan.publishWork?.encoder == EncoderVersion.reference)
    }

    /// Units are the blocks of the types, runs what shares a point of a code book; types of other kinds are left to their
    /// usual encoders.
    @Test(
        arguments: [
            ("Q8_0", 32, 1), ("Q4_0", 32, 1), ("IQ4_XS", 256, 1), ("Q2_K", 256, 1), ("IQ3_S", 256, 4),
            ("IQ2_XXS", 256, 8), ("TQ2_0", nil, 1), ("BF16", nil, 1),
        ])
    func units(preset: String, unit: Int?, run: Int) throws {
        let plan = try MethodPlan.plan(Fixtures.sample, [.init(gguf: preset)])
        let output = outputs(plan)["blk.1.ffn_up.weight"]
        guard let unit else {
            #expect(output?.refinement == nil)
            return
        }
        let works = try factors(plan, output)
        #expect(works.map(\.unit) == [unit] && works.map(\.run) == [run])
    }

    /// What reads one input in types with different runs has factors of different orders.
    @Test func runsHaveFactorsOfTheirOwn() throws {
        let rules = [
            Recipe.TensorRule(pattern: "attn_k", type: .iq3_s), Recipe.TensorRule(pattern: "attn_v", type: .q4_K),
        ]
        let plan = try MethodPlan.plan(Fixtures.sample, [.init(gguf: "IQ2_XS", tensors: rules)])
        let outputs = outputs(plan)
        let works = try ["attn_q", "attn_k", "attn_v"].flatMap { try factors(plan, outputs["blk.1.\($0).weight"]) }
        #expect(works.map(\.run) == [8, 4, 1] && Set(works.map(\.input)).count == 1)
    }

    @Test func theHeadThatIsTheEmbeddingCountsToo() throws {
        let fixture = try ConvertFixture("gemma2")
        let plan = try MethodPlan.plan(fixture.path, [.init(gguf: "Q8_0")])
        #expect(try factors(plan, outputs(plan)["token_embd.weight"]).map(\.input.tensor) == ["token_embd.weight"])
    }

    @Test func expertsHaveFactorsOfTheirOwn() throws {
        let fixture = try ConvertFixture("mixtral")
        let plan = try MethodPlan.plan(fixture.path, [.init(gguf: "Q8_0")])
        let works = try factors(plan, outputs(plan)["blk.0.ffn_down_exps.weight"])
        #expect(works.count > 1 && works.map(\.input.matrix) == Array(works.indices))
    }

    @Test func rescaledChannelsAreFactoredAsTheyWillBe() throws {
        var target = Recipe.Target(gguf: "Q4_K_M")
        if case .gguf(var wanted) = target {
            wanted.method = .awq
            target = .gguf(wanted)
        }
        let plan = try MethodPlan.plan(Fixtures.sample, [target])
        let output = outputs(plan)["blk.1.ffn_down.weight"]
        let item = try #require(output?.rescalings.first { $0.kind == .inputs }?.item)
        #expect(try factors(plan, output).map(\.balance) == [item])
    }

    @Test func blocksOfGramMatricesHoldWholeBlocks() throws {
        let plan = try MethodPlan.plan(Fixtures.sample, [.init(gguf: "Q4_K_M"), .init(gguf: "Q8_0")]) {
            $0.calibration?.gram = .init(maxBlock: 200)
        }
        let types = plan.encodeWork.flatMap(\.spans).flatMap(\.outputs).filter { $0.refinement != nil }
            .compactMap(\.encoding.type)
        #expect(!types.isEmpty && types.allSatisfy { $0.blockSize == 32 })
        #expect(plan.warnings.contains { $0.hasPrefix("Q4_K_M: Gram matrices are kept in blocks that are not whole") })
    }

    @Test func asksForAText() {
        let error = #expect(throws: QuernError.self) {
            try MethodPlan.plan(Fixtures.sample, [.init(gguf: "Q4_K_M")]) {
                $0.calibration = nil
                $0.encoder = .refined
            }
        }
        #expect(error?.message == "the refined encoder needs to know what layers read" && error?.code == .usage)
    }
}
