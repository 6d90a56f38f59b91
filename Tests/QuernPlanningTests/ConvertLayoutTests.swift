import QuernFormats
import QuernPlanning
import QuernStore
import Testing

/// Other layouts of the same models, and what config.json says beyond the keys.
@Suite struct ConvertLayoutTests {
    private static func tensor(_ shape: [Int]) -> [String: Any] { ["dtype": "BF16", "shape": shape] }

    /// Gate and up of all experts in one tensor, as transformers 5 saves them: the same bytes in another order.
    @Test func fusedExpertsAreTakenApart() throws {
        let fixture = try ConvertFixture("qwen3_moe")
        try fixture.editTensors { tensors in
            for name in tensors.keys where name.hasPrefix("model.layers.1.mlp.experts.") { tensors[name] = nil }
            tensors["model.layers.1.mlp.experts.gate_up_proj"] = Self.tensor([8, 64, 256])
            tensors["model.layers.1.mlp.experts.down_proj"] = Self.tensor([8, 256, 32])
            ConvertFixture.layOut(&tensors)
        }
        try fixture.fillShards()
        let model = try fixture.open()
        let half = 2 * 32 * 256
        let gate = try model.bytes(of: "blk.1.ffn_gate_exps.weight")
        let up = try model.bytes(of: "blk.1.ffn_up_exps.weight")
        let extent = try #require(model.tensor("blk.1.ffn_gate_exps.weight")?.extents.first)
        let stored = try FileByteSource(path: model.files[0].path).bytes(at: extent.offset, count: 16 * half)
        for expert in 0..<8 {
            #expect(
                gate[(expert * half)..<((expert + 1) * half)] == stored[(2 * expert * half)..<((2 * expert + 1) * half)]
            )
            #expect(
                up[(expert * half)..<((expert + 1) * half)]
                    == stored[((2 * expert + 1) * half)..<((2 * expert + 2) * half)])
        }
        #expect(model.tensor("blk.1.ffn_down_exps.weight")?.shape == [32, 256, 8])
    }

    /// Experts of gpt-oss that are not quantized are [in, out], gate and up taking turns in the columns.
    @Test func unquantizedExpertsAreTransposed() throws {
        let fixture = try ConvertFixture("gpt_oss")
        try fixture.edit("config.json") { $0["quantization_config"] = nil }
        let (experts, hidden, width) = (4, 256, 128)
        try fixture.editTensors { tensors in
            for name in tensors.keys where name.hasSuffix("_blocks") || name.hasSuffix("_scales") {
                tensors[name] = nil
            }
            for layer in 0..<2 {
                let prefix = "model.layers.\(layer).mlp.experts"
                tensors["\(prefix).gate_up_proj"] = Self.tensor([experts, hidden, 2 * width])
                tensors["\(prefix).down_proj"] = Self.tensor([experts, width, hidden])
            }
            ConvertFixture.layOut(&tensors)
        }
        try fixture.fillShards()
        let model = try fixture.open()
        let up = try #require(model.tensor("blk.1.ffn_up_exps.weight"))
        #expect(up.shape == [hidden, width, experts] && up.type == .bf16 && up.fixedType == nil)
        let first = try #require(up.extents.first)
        let count = experts * hidden * 2 * width
        let stored = try FileByteSource(path: model.files[0].path).bytes(at: first.offset - 2, count: 2 * count)
        var expected: [UInt8] = []
        for expert in 0..<experts {
            for row in 0..<width {
                for column in 0..<hidden {
                    let index = (expert * hidden + column) * 2 * width + 2 * row + 1
                    expected += stored[(2 * index)...(2 * index + 1)]
                }
            }
        }
        #expect(try model.bytes(of: up.name) == expected)
        #expect(model["general.file_type"] == .uint32(32))
    }

    /// The text of a model that also sees images.
    @Test func textIsTakenOutOfAMultimodalCheckpoint() throws {
        let plain = try ConvertFixture("gemma3").open()
        let fixture = try ConvertFixture("gemma3")
        try fixture.edit("config.json") { config in
            let text = config
            config = [
                "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": text,
            ]
        }
        try fixture.editTensors { tensors in
            for (name, tensor) in tensors where name != "__metadata__" {
                tensors[name] = nil
                tensors["language_model.\(name)"] = tensor
            }
        }
        let model = try fixture.open()
        #expect(Set(model.tensors.map(\.name)) == Set(plain.tensors.map(\.name)))
        #expect(model.metadata.map(\.key) == plain.metadata.map(\.key))
        #expect(model.hints == plain.hints)
    }

    @Test func rowsBeyondTheVocabularyAreLeftOut() throws {
        let fixture = try ConvertFixture("gemma2")
        try fixture.editTensors { tensors in
            tensors["model.embed_tokens.weight"] = Self.tensor([520, 256])
            ConvertFixture.layOut(&tensors)
        }
        let tensor = try #require(try fixture.open().tensor("token_embd.weight"))
        #expect(tensor.shape == [256, 512])
        #expect(tensor.extents.map(\.length) == [2 * 512 * 256])
    }

    @Test func layersBeyondTheLastAndATiedHeadAreLeftOut() throws {
        let fixture = try ConvertFixture("deepseek_v3")
        let names = try fixture.open().tensors.map(\.name)
        try fixture.edit("config.json") { $0["tie_word_embeddings"] = true }
        try fixture.editTensors { tensors in
            tensors["model.layers.2.eh_proj.weight"] = Self.tensor([256, 512])
            ConvertFixture.layOut(&tensors)
        }
        #expect(Set(try fixture.open().tensors.map(\.name)) == Set(names).subtracting(["output.weight"]))
    }

    @Test func expertsOfGptOssStayInMXFP4() throws {
        let model = try ConvertFixture("gpt_oss").open()
        let experts = model.tensors.filter { $0.name.contains("_exps.weight") }
        #expect(experts.count == 6 && experts.allSatisfy { $0.type == .mxfp4 && $0.fixedType == .mxfp4 })
        for target in ["BF16", "F32", "Q4_K_M", "MXFP4_MOE"] {
            let plan = try TestSources.plan([.init(gguf: target)], of: model)
            #expect(plan.refusals.isEmpty)
            #expect(experts.allSatisfy { plan.types[$0.name] == .mxfp4 }, "\(target)")
        }
        let again = try TestSources.plan([.init(gguf: "Q8_0")], of: model, allowRequantize: true)
        #expect(experts.allSatisfy { again.types[$0.name] == .q8_0 })
    }

    @Test func hintsAreWhatTransformersDoes() throws {
        func hints(_ family: String) throws -> ForwardHints { try ConvertFixture(family).open().hints }
        #expect(try hints("llama") == ForwardHints())
        #expect(try hints("mistral").windows == [0, 0])
        #expect(try hints("gemma2").windows == [16, 0])
        #expect(try hints("gemma2").ropeTheta == 10_000)
        #expect(try hints("gemma2").attentionScale == 1 / 32.0.squareRoot())
        #expect(try hints("gemma3").windows == [16, 16, 16, 16, 16, 0])
        #expect(try hints("gemma3").attentionScale == 0.125)
        #expect(try hints("gpt_oss").windows == [16, 0])
        #expect(try hints("gpt_oss").yarnTruncates == false)
        #expect(try hints("gpt_oss").expertScoring == .softmaxOfChosen)
        #expect(abs((try hints("gpt_oss").yarnMagnitude ?? 0) - 1.2079441541679836) < 1e-12)
        #expect(try hints("deepseek_v3").yarnMagnitude == 1)
        #expect(try hints("deepseek_v3").expertScoring == .sigmoid)
        #expect(try hints("deepseek_v3").normalizesExpertWeights == true)
        #expect(abs((try hints("deepseek_v3").attentionScale ?? 0) - 0.18713033519502434) < 1e-12)
        #expect(try hints("qwen2_moe").normalizesExpertWeights == false)
        #expect(try hints("qwen3_moe").normalizesExpertWeights == true)
        let mistral = try ConvertFixture("mistral")
        try mistral.edit("config.json") { $0["sliding_window"] = nil }
        #expect(try mistral.open().hints.windows == [4096, 4096])
    }
}
