import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import Testing

@Suite struct RefusalTests {
    @Test func wrongRecipesAreThrown() throws {
        let source = TestSources.llama(blocks: 1)
        func code(_ targets: [Recipe.Target], split: Recipe.SplitLimits? = nil) -> QuernError.Code? {
            do {
                _ = try TestSources.plan(targets, of: source, split: split)
                return nil
            } catch {
                return (error as? QuernError)?.code
            }
        }
        #expect(code([]) == .usage)
        #expect(code([.init(gguf: "Q4_K_X")]) == .usage)
        #expect(code([.init(gguf: "Q4_K"), .init(gguf: "q4_k_m")]) == .usage)
        #expect(code([.init(gguf: "Q4_0", tensors: [.init(pattern: "attn_(", type: .q8_0)])]) == .usage)
        #expect(code([.init(gguf: "Q4_0", tensors: [.init(pattern: "(([a-z0-9._]+)+)+X", type: .q8_0)])]) == .usage)
        #expect(code([.init(gguf: "Q4_0")], split: .init(maxBytes: 0)) == .usage)
        #expect(code([.init(gguf: "Q4_0")], split: .init(maxTensors: 0)) == .usage)
        #expect(code([.init(gguf: "Q4_0")]) == nil)
    }

    /// Before anything is read: what a list is compared with grows with it.
    @Test(arguments: [
        "targets", "tensors", "layers", "ignore", "override_kv", "include_weights", "exclude_weights", "prune_layers",
    ])
    func listsHaveALimit(_ field: String) throws {
        func refusal(_ count: Int) -> QuernError? {
            let list = { (name: String) in name == field ? (0..<count).map { "x\($0)" } : [] }
            let targets = (0..<(field == "targets" ? count : 1)).map { _ in
                ["layers", "ignore"].contains(field)
                    ? Recipe.Target(
                        compressedTensors: "W4A16", ignore: list("ignore"),
                        layers: list("layers").map { .init(pattern: $0, scheme: "none") })
                    : Recipe.Target(gguf: "Q8_0", tensors: list("tensors").map { .init(pattern: $0, type: .q8_0) })
            }
            let recipe = Recipe(
                source: "/none", targets: targets, includeWeights: list("include_weights"),
                excludeWeights: list("exclude_weights"), pruneLayers: list("prune_layers").indices.map { $0 },
                overrides: list("override_kv").map { .init(key: $0, value: .bool(true)) })
            return #expect(throws: QuernError.self) { try Planner.plan(recipe) }
        }
        let most = ["targets": 100, "tensors": 65_536, "layers": 65_536, "ignore": 65_536][field] ?? 4096
        let error = refusal(most + 1)
        #expect(error?.code == .usage && error?.location == field)
        #expect(error?.message == "\(most + 1) are too many: there may be \(most)")
        // The source is looked for next, and is not there.
        #expect(refusal(most)?.location != field)
    }

    @Test(arguments: ["../x", ".hidden", "a/b", "", "line\nbreak"])
    func namesThatLeaveTheFolder(name: String) throws {
        let source = TestSources.llama(blocks: 1)
        let recipe = Recipe(source: "x", name: name, targets: [.init(gguf: "Q8_0")])
        let error = try #require(throws: QuernError.self) {
            try Planner.plan(recipe: recipe, source: source, importance: nil)
        }
        #expect(error.code == .usage)
    }

    @Test func aRefusedTargetStopsTheOthers() throws {
        let plan = try TestSources.plan(
            [.init(gguf: "IQ2_XS"), .init(gguf: "Q8_0")], of: TestSources.llama(blocks: 1))
        #expect(!plan.refusals.isEmpty && plan.refusals.allSatisfy { $0.target == "IQ2_XS" && $0.tensor != nil })
        #expect(plan.items.isEmpty)
        #expect(plan.targets[0].files.isEmpty)
        #expect(plan.targets[1].files.count == 1)
    }

    /// Token embeddings and the head do without an importance matrix where an encoder can.
    @Test(arguments: [("IQ2_XXS", true), ("IQ2_XS", true), ("IQ1_S", true), ("IQ1_M", false), ("IQ3_XXS", false)])
    func headAndEmbeddingsWithoutImportance(preset: String, isRefused: Bool) throws {
        let source = TestSources.llama(blocks: 1)
        let importance = TestSources.importance(for: source, leavingOut: ["token_embd.weight", "output.weight"])
        let plan = try TestSources.plan([.init(gguf: preset, pure: true)], of: source, importance: importance)
        #expect(plan.refusals.map(\.tensor) == (isRefused ? ["output.weight", "token_embd.weight"] : []))
    }

    @Test func typesWithoutEncodersNameTheirTensors() throws {
        let target = Recipe.Target(gguf: "Q8_0", tensors: [.init(pattern: "ffn_up", type: .i8)])
        let plan = try TestSources.plan([target], of: TestSources.llama(blocks: 2))
        #expect(plan.refusals.map(\.tensor) == ["blk.0.ffn_up.weight", "blk.1.ffn_up.weight"])
    }

    @Test func allTargetsTellTheirRefusals() throws {
        let source = TestSources.model([
            .init(name: "blk.0.ffn_up.weight", shape: [48, 8]), .init(name: "blk.0.ffn_down.weight", shape: [64, 8]),
        ])
        let plan = try TestSources.plan([.init(gguf: "Q4_0"), .init(gguf: "Q8_0"), .init(gguf: "F16")], of: source)
        #expect(plan.refusals.map(\.target) == ["Q4_0", "Q8_0"])
        #expect(plan.refusals.allSatisfy { $0.tensor == "blk.0.ffn_up.weight" && $0.reason.contains("48 columns") })
    }

    @Test func quantizedSourcesNeedLeave() throws {
        let source = TestSources.llama(blocks: 1, type: .q8_0)
        let target = Recipe.Target(gguf: "Q4_K_M")
        let refused = try TestSources.plan([target], of: source)
        #expect(refused.refusals.count == 9)
        #expect(refused.refusals[0].reason.contains("--allow-requantize"))
        #expect(try TestSources.plan([target], of: source, allowRequantize: true).refusals.isEmpty)
        // What keeps its type is copied.
        let kept = try TestSources.plan([.init(gguf: "Q8_0")], of: source)
        #expect(kept.refusals.isEmpty && kept.encodeWork.flatMap(\.spans).allSatisfy { $0.outputs.count == 1 })
    }

    @Test func typesThatCannotBeDecoded() throws {
        let source = TestSources.model([.init(name: "output.weight", shape: [256, 8], type: .i32)])
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: source, allowRequantize: true)
        #expect(plan.refusals.map(\.tensor) == ["output.weight"])
    }

    @Test func importanceOfTheWrongLength() throws {
        let source = TestSources.llama(blocks: 1)
        let right = TestSources.importance(for: source)
        var entries = right.entries
        entries["blk.0.ffn_up.weight"] = .init(values: [1, 2, 3], matrices: 1)
        entries["token_embd.weight"] = .init(values: [1, 2, 3], matrices: 1)
        let wrong = ImportanceMatrix(entries: entries, datasets: [], chunkCount: 0)
        let plan = try TestSources.plan([.init(gguf: "Q4_0"), .init(gguf: "Q8_0")], of: source, importance: wrong)
        #expect(plan.refusals.map(\.target) == ["Q4_0"])
        #expect(plan.refusals.map(\.tensor) == ["blk.0.ffn_up.weight"])
    }

    @Test func importanceThatIsMissingOrNotFinite() throws {
        let source = TestSources.llama(blocks: 1)
        let partial = TestSources.importance(for: source, leavingOut: ["blk.0.ffn_up.weight", "blk.0.attn_q.weight"])
        let plan = try TestSources.plan([.init(gguf: "Q4_0")], of: source, importance: partial)
        #expect(plan.refusals.isEmpty)
        #expect(plan.warnings.count == 1 && plan.warnings[0].contains("blk.0.attn_q.weight and 1 others"))

        var entries = partial.entries
        entries["blk.0.ffn_up.weight"] = .init(values: Array(repeating: .nan, count: 256), matrices: 1)
        let broken = ImportanceMatrix(entries: entries, datasets: [], chunkCount: 0)
        let refused = try TestSources.plan([.init(gguf: "Q4_0")], of: source, importance: broken)
        #expect(refused.refusals.map(\.tensor) == ["blk.0.ffn_up.weight"])
    }

    @Test func expertsWithoutALayer() throws {
        let source = TestSources.model(
            [.init(name: "v.blk.0.ffn_up.weight", shape: [256, 8])],
            metadata: [("llama.expert_count", .uint32(4)), ("llama.block_count", .uint32(1))])
        let plan = try TestSources.plan([.init(gguf: "Q4_K_M")], of: source)
        #expect(plan.refusals.map(\.tensor) == ["v.blk.0.ffn_up.weight"])
    }

    @Test func rowsTooWideForABlob() throws {
        let wide = TestSources.model([.init(name: "output.weight", shape: [32 << 20, 2])])
        let plan = try TestSources.plan([.init(gguf: "Q8_0")], of: wide)
        #expect(plan.refusals.map(\.tensor) == ["output.weight"])
        let empty = TestSources.model([])
        #expect(throws: QuernError.self) { try TestSources.plan([.init(gguf: "Q8_0")], of: empty) }
    }

    @Test func refusalsWriteAMissingTensorAsNull() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = String(
            decoding: try encoder.encode(Refusal(target: "Q4_0", tensor: nil, reason: "no")), as: UTF8.self)
        #expect(text == #"{"reason":"no","target":"Q4_0","tensor":null}"#)
    }
}
