import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// What sizes are expected to diverge by.
struct TradeOffTests {
    private let source: SourceModel
    private let sensitivity: SensitivityFile
    private let tradeOffs: TradeOffs

    init() throws {
        source = try SourceModel.open(path: Fixtures.sample)
        sensitivity = AllocationPlanTests.sensitivity(source)
        tradeOffs = try Planner.tradeOffs(sensitivity, source: source)
    }

    private func plan(_ targets: [Recipe.Target], prune: [Int] = []) throws -> Plan {
        let text = CalibrationPlanTests.text
        return try Planner.plan(
            recipe: Recipe(
                source: Fixtures.sample, name: source.name, targets: targets,
                calibration: .init(text: text.path, chunks: 4), sensitivity: "s.json", pruneLayers: prune),
            source: source, importance: nil, calibrationText: text, sensitivity: sensitivity)
    }

    /// Bytes grow and divergences fall from all tensors in the smallest type to all in the largest.
    @Test func curveSpansAllSizes() throws {
        let curve = tradeOffs.curve
        #expect(curve.count > 60 && curve.count <= 97)
        for (small, large) in zip(curve, curve.dropFirst()) {
            #expect(small.bytes < large.bytes && small.divergence > large.divergence)
            #expect(small.bitsPerWeight < large.bitsPerWeight)
        }
        for (end, place) in [(curve.first, 0), (curve.last, 5)] {
            let expected = sensitivity.tensors.reduce(0) { $0 + $1.types[place].divergence }
            #expect(abs((end?.divergence ?? 0) - expected) < 1e-9 * expected)
        }
        #expect(curve.allSatisfy { $0.name == nil })
    }

    /// A size on the curve, asked for, gives what the curve says.
    @Test(arguments: [0, 20, 50])
    func curveIsWhatIsChosen(place: Int) throws {
        let point = tradeOffs.curve[place]
        let plan = try plan([.init(gguf: "bpw:\(point.bitsPerWeight)")])
        let found = try #require(plan.targets.first.flatMap(TradeOffs.Point.init))
        #expect(found.bytes == point.bytes && abs(found.divergence - point.divergence) < 1e-9 * point.divergence)
        #expect(found.bitsPerWeight == point.bitsPerWeight)
    }

    /// Presets whose types were measured, in their own types.
    @Test func presetsCostWhatTheirTypesCost() throws {
        let names = tradeOffs.presets.map { $0.name ?? "" }
        #expect(Set(["Q2_K", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"]).isSubset(of: names))
        #expect(Set(["Q4_0", "IQ4_XS", "IQ3_XXS", "MXFP4_MOE", "F16"]).isDisjoint(with: names))
        let target = try #require(try plan([.init(gguf: "Q4_K_M")]).targets.first)
        let costs = Dictionary(uniqueKeysWithValues: sensitivity.tensors.map { ($0.tensor, $0.types) })
        let expected = target.tensors.reduce(0.0) { sum, tensor in
            sum + (costs[tensor.name]?.first { .element($0.type) == tensor.type }?.divergence ?? 0)
        }
        let preset = try #require(tradeOffs.presets.first { $0.name == "Q4_K_M" })
        #expect(abs(preset.divergence - expected) < 1e-9 * expected)
        #expect(preset.bytes == target.tensors.reduce(0) { $0 + $1.bytes })
        // What is chosen by cost is at least as good.
        let chosen = try #require(tradeOffs.curve.last { $0.bytes <= preset.bytes })
        #expect(chosen.divergence < preset.divergence)
    }

    /// Jobs take with them what their report shows; those that choose nothing take nothing.
    @Test func jobsCarryTheirChoice() throws {
        let plan = try plan([.init(gguf: "bpw:4"), .init(gguf: "Q4_K_M"), .init(gguf: "Q3_K_M:dynamic")])
        let choice = try #require(plan.publishWork?.choice)
        #expect(choice.tradeOffs == tradeOffs && choice.targets.map(\.name) == ["4bpw", "Q3_K_M-dynamic"])
        #expect(choice.targets.map(\.divergence) == plan.targets.compactMap(\.divergence))
        #expect(choice.probes == sensitivity.tensors.map(TypeChoice.Probe.init))
        #expect(try self.plan([.init(gguf: "Q4_K_M")]).publishWork?.choice == nil)
    }

    @Test func blocksThatAreLeftOutAreNotCounted() throws {
        let pruned = try #require(try plan([.init(gguf: "bpw:4")], prune: [1]).publishWork?.choice?.tradeOffs.curve)
        let whole = try #require(tradeOffs.curve.last)
        let last = try #require(pruned.last)
        #expect(last.bytes < whole.bytes && last.divergence < whole.divergence)
        #expect(abs(last.bitsPerWeight - whole.bitsPerWeight) < 0.1)
    }

    /// Without a job, the types and sizes that a job would have.
    @Test func sizesCanBeLookedAt() throws {
        let goals = ["size:2500000", "bpw:3.7", "Q5_K_M:dynamic"]
        let looked = try Planner.chosen(for: goals, sensitivity, source: source)
        let planned = try plan(goals.map { Recipe.Target(gguf: $0) }).targets
        for (look, plan) in zip(looked, planned) {
            #expect(look.target == plan.target && look.divergence == plan.divergence)
            #expect(look.tensors == plan.tensors)
        }
        #expect(looked.count == 3)
        let error = #expect(throws: QuernError.self) {
            try Planner.chosen(for: ["bpw:4", "Q4_K_M"], sensitivity, source: source)
        }
        #expect(error?.message == "no types are chosen for 'Q4_K_M'")
    }
}
