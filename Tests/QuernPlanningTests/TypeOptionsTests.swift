import QuernFormats
import QuernJobs
import QuernPlanning
import Testing

/// What a target's options do to types, where the reference files say nothing.
@Suite struct TypeOptionsTests {
    private func types(
        _ target: Recipe.Target, of source: SourceModel = TestSources.llama(blocks: 8)
    ) throws -> [String: ElementType] {
        let plan = try TestSources.plan([target], of: source)
        #expect(plan.refusals.isEmpty)
        return plan.types
    }

    @Test func pureGivesEveryMatrixTheBaseType() throws {
        let types = try types(Recipe.Target(gguf: "Q4_K_M", pure: true))
        for (name, type) in types { #expect(type == (name.contains("norm") ? .f32 : .q4_K), "\(name)") }
    }

    @Test func pureFallsBackWhereColumnsDoNotDivide() throws {
        let source = TestSources.model([
            .init(name: "output.weight", shape: [288, 8]), .init(name: "blk.0.ffn_up.weight", shape: [100, 8]),
        ])
        let types = try types(Recipe.Target(gguf: "Q5_K_S", pure: true), of: source)
        #expect(types == ["output.weight": .q5_1, "blk.0.ffn_up.weight": .f16])
    }

    @Test func firstMatchingRuleWins() throws {
        let rules: [Recipe.TensorRule] = [
            .init(pattern: #"blk\.[0-3]\.attn_v"#, type: .q8_0), .init(pattern: "ATTN_V", type: .q6_K),
            .init(pattern: "attn_v.weight", type: .f16), .init(pattern: "norm", type: .q8_0),
            .init(pattern: "^blk.7.ffn_up.weight$", type: .f16),
        ]
        let types = try types(Recipe.Target(gguf: "Q4_K_S", tensors: rules))
        #expect(types["blk.3.attn_v.weight"] == .q8_0)
        #expect(types["blk.4.attn_v.weight"] == .q6_K)
        #expect(types["blk.0.attn_norm.weight"] == .f32)
        #expect(types["blk.7.ffn_up.weight"] == .f16)
        #expect(types["blk.6.ffn_up.weight"] == .q4_K)
        #expect(types["output.weight"] == .q6_K)
    }

    /// Plain patterns are compared byte by byte; an empty group makes the same pattern one for the regex engine.
    @Test(arguments: [
        ("attn_v", true), ("ATTN_V.WEIGHT", true), (#"^blk\.0\.attn_v\.weight$"#, true), ("blk.0.attn_v", true),
        ("^attn", false), ("^blk", true), ("weight$", true), ("attn_v$", false), (#"attn.v\.weigh$"#, false),
        (#"attn\.v"#, false), ("^blk.0.attn_v.weight.$", false), ("^blk.0.attn_v.weigh$", false),
        ("^.blk.0.attn_v.weight", false), ("blk.0.attn_v.weight.and.more", false), ("-", false), ("0", true),
    ])
    func plainPatternsAgreeWithTheRegexEngine(pattern: String, expected: Bool) throws {
        let source = TestSources.model([.init(name: "blk.0.attn_v.weight", shape: [256, 4])])
        for pattern in [pattern, "(?:)\(pattern)"] {
            let target = Recipe.Target(gguf: "Q4_0", tensors: [.init(pattern: pattern, type: .f16)])
            #expect(try types(target, of: source)["blk.0.attn_v.weight"] == (expected ? .f16 : .q4_0), "\(pattern)")
        }
    }

    /// A tensor that a rule decides does not count in the mixture: the next ones move up.
    @Test func rulesTakeTensorsOutOfTheCount() throws {
        let rule = Recipe.TensorRule(pattern: #"blk\.[01]\.attn_v"#, type: .q8_0)
        let types = try types(Recipe.Target(gguf: "Q3_K_M", tensors: [rule]))
        #expect(types["blk.2.attn_v.weight"] == .q5_K)
        #expect(types["blk.3.attn_v.weight"] == .q5_K)
        #expect(types["blk.4.attn_v.weight"] == .q4_K)
    }

    @Test func rulesFallBackToo() throws {
        let source = TestSources.model([.init(name: "blk.0.ffn_up.weight", shape: [288, 8])])
        let rule = Recipe.TensorRule(pattern: "ffn", type: .q6_K)
        #expect(try types(Recipe.Target(gguf: "Q4_0", tensors: [rule]), of: source)["blk.0.ffn_up.weight"] == .q8_0)
    }

    @Test(arguments: ["F32", "F16", "BF16"])
    func plainPresetsKnowNoRules(preset: String) throws {
        let rule = Recipe.TensorRule(pattern: ".*", type: .q8_0)
        let types = try types(Recipe.Target(gguf: preset, tensors: [rule]))
        #expect(types["blk.0.ffn_up.weight"]?.description == preset)
    }

    @Test func outputAndEmbeddingTypes() throws {
        let target = Recipe.Target(gguf: "Q4_K_M", outputTensorType: .q8_0, tokenEmbeddingType: .f16)
        let types = try types(target)
        #expect(types["output.weight"] == .q8_0)
        #expect(types["token_embd.weight"] == .f16)
    }

    @Test func tiedEmbeddingsFollowTheOutputType() throws {
        let source = TestSources.llama(blocks: 2, tied: true)
        #expect(try types(Recipe.Target(gguf: "Q4_K_M"), of: source)["token_embd.weight"] == .q6_K)
        let target = Recipe.Target(gguf: "Q4_K_M", outputTensorType: .q5_K)
        #expect(try types(target, of: source)["token_embd.weight"] == .q5_K)
        let both = Recipe.Target(gguf: "Q4_K_M", outputTensorType: .q5_K, tokenEmbeddingType: .q3_K)
        #expect(try types(both, of: source)["token_embd.weight"] == .q3_K)
    }

    @Test func outputTensorIsLeftAlone() throws {
        let types = try types(Recipe.Target(gguf: "Q4_K_M", outputTensorType: .q8_0, leaveOutputTensor: true))
        #expect(types["output.weight"] == .bf16)
        #expect(types["token_embd.weight"] == .q4_K)
    }

    /// 70B-class models give attn_v, eight times smaller than attn_q there, five bits.
    @Test(arguments: [(UInt32(8), ElementType.q5_K), (64, .q4_K)])
    func seventyBillion(keyValueHeads: UInt32, expected: ElementType) throws {
        let source = TestSources.llama(blocks: 80, width: 256, heads: 64, keyValueHeads: keyValueHeads)
        let types = try types(Recipe.Target(gguf: "Q3_K_M"), of: source)
        #expect(types["blk.40.attn_v.weight"] == expected)
    }

    @Test func falconHasRulesOfItsOwn() throws {
        let tensors = (0..<16).map { TestSources.Tensor(name: "blk.\($0).ffn_down.weight", shape: [256, 4]) }
        let source = TestSources.model(
            tensors + [.init(name: "output.weight", shape: [256, 4])], architecture: "falcon",
            metadata: [("falcon.block_count", .uint32(16))])
        let types = try types(Recipe.Target(gguf: "Q4_K_M"), of: source)
        #expect(types["output.weight"] == .q8_0)
        #expect(types["blk.0.ffn_down.weight"] == .q6_K)
        #expect(types["blk.1.ffn_down.weight"] == .q5_K)
        #expect(types["blk.2.ffn_down.weight"] == .q4_K)
    }

    @Test func checkpointsKeepTheirSmallTensorsInF32() throws {
        let source = TestSources.model(
            [
                .init(name: "output_norm.weight", shape: [256], fixedType: .f32),
                .init(name: "blk.0.ffn_gate_inp.weight", shape: [256, 4], fixedType: .f32),
                .init(name: "output.weight", shape: [256, 4]),
            ], fileSuffix: "safetensors")
        #expect(
            try types(Recipe.Target(gguf: "F16"), of: source) == [
                "output_norm.weight": .f32, "blk.0.ffn_gate_inp.weight": .f32, "output.weight": .f16,
            ])
    }

    @Test func ggufTensorsThatAreNotEncodedStayWhatTheyAre() throws {
        let source = TestSources.model([
            .init(name: "token_types.weight", shape: [256, 2], type: .f16),
            .init(name: "blk.0.ffn_gate_tid2eid.weight", shape: [6, 100], type: .i32),
            .init(name: "output.weight", shape: [256, 1, 1], type: .q8_0),
        ])
        #expect(
            try types(Recipe.Target(gguf: "Q4_K_M"), of: source) == [
                "token_types.weight": .f16, "blk.0.ffn_gate_tid2eid.weight": .i32, "output.weight": .q8_0,
            ])
    }
}
