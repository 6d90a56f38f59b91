import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// Plans of folders whose layers get schemes by what they cost.
struct SchemeAllocationTests {
    private func plan(
        _ target: String, of path: String = Fixtures.sample, rules: [Recipe.LayerRule] = [],
        sensitivity: SensitivityFile? = nil, measured: Bool = true
    ) throws -> Plan {
        let target = try #require(Recipe.Target(schemeNamed: target, layers: rules))
        return try plan(target, of: path, sensitivity: measured ? sensitivity ?? MeasuredCosts.file(of: path) : nil)
    }

    /// - Parameter isGiven: whether the costs come from a file, and not from the job itself.
    private func plan(
        _ target: Recipe.Target, of path: String, sensitivity: SensitivityFile?, isGiven: Bool = true
    ) throws -> Plan {
        let text = CalibrationPlanTests.text
        return try Planner.plan(
            recipe: Recipe(
                source: path, name: "m", targets: [target], calibration: .init(text: text.path, chunks: 4),
                sensitivity: isGiven && sensitivity != nil ? "s.json" : nil),
            source: SourceModel.open(path: path), checkpoint: StoredCheckpoint.open(path: path), importance: nil,
            calibrationText: text, sensitivity: sensitivity)
    }

    private func weights(_ target: TargetPlan) -> UInt64 {
        target.files.filter { $0.name.hasSuffix(".safetensors") }.reduce(0) { $0 + $1.bytes }
    }

    /// Schemes of layers by their names; `none` for those that stay as they are.
    private func schemes(_ target: TargetPlan) -> [String: String] {
        Dictionary(
            target.tensors.map { (LayerName.component($0.name).layer, $0.scheme ?? "none") },
            // Biases have none.
            uniquingKeysWith: { $0 == "none" ? $1 : $0 })
    }

    /// Steps to 8 bits are of at least 30 kB in so small a model, those to smaller groups of 1 kB.
    @Test(arguments: [(3_900_000, 0.005), (4_321_000, 0.01), (5_000_000, 0.01)] as [(UInt64, Double)])
    func sizesAreMet(bytes: UInt64, most: Double) throws {
        let target = try #require(try plan("W4A16_GPTQ:size:\(bytes)").targets.first)
        #expect(weights(target) <= bytes && Double(weights(target)) > (1 - most) * Double(bytes))
        #expect(target.target == "W4A16-\(bytes)")
        #expect(target.files.map(\.name).contains("m-W4A16-\(bytes)/model.safetensors"))
        #expect(try #require(target.divergence) > 0)
    }

    @Test(arguments: [("W4A16", 8.0), ("W4A16_ASYM_G64_GPTQ", 9), ("W4A16_CHANNEL_IMATRIX", 7.5), ("NVFP4A16_GPTQ", 9)])
    func bitsAreMet(name: String, bits: Double) throws {
        let plan = try plan("\(name):bpw:\(bits)")
        let target = try #require(plan.targets.first)
        let all = target.tensors.reduce(0) { $0 + $1.weights }
        let found = 8 * Double(target.tensors.reduce(0) { $0 + $1.bytes }) / Double(all)
        #expect(found <= bits && found > 0.98 * bits)
        let groups = try #require(plan.quantizationConfig()["config_groups"]?.object)
        #expect(groups.entries.count > 1)
    }

    /// Layers whose loss counts more get more bits, and methods that lose less are expected to.
    @Test func bitsGoWhereTheyCount() throws {
        let target = try #require(try plan("W4A16:bpw:9").targets.first)
        let found = schemes(target)
        #expect(found["model.layers.0.mlp.down_proj"]?.hasPrefix("W4A16") == true)
        #expect(found["model.layers.3.mlp.down_proj"] == "W8A16")
        #expect(found["lm_head"] == "none")
        let better = try #require(try plan("W4A16_GPTQ:bpw:9").targets.first)
        let larger = try #require(try plan("W4A16:bpw:10").targets.first)
        let expected = try #require(target.divergence)
        #expect(try #require(better.divergence) < expected / 3 && (try #require(larger.divergence)) < expected)
    }

    /// What loaders put together has one scheme, whatever the family, and the manifest's recipe repeats the plan.
    @Test(arguments: [
        "llama", "phi3", "qwen3", "starcoder2", "gemma3", "mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v3",
    ])
    func repeatsWithoutMeasurements(family: String) throws {
        let fixture = try ConvertFixture(family)
        try withExtendedLifetime(fixture) {
            let plan = try plan("W4A16_G32_GPTQ:bpw:8.5", of: fixture.path)
            let target = try #require(plan.targets.first)
            let found = schemes(target)
            #expect(Set(found.values).subtracting(["none"]).count > 1, "\(found)")
            for set in FusedLayers.sharingScheme(found.keys.sorted()) {
                #expect(Set(set.map { found[$0] }).count == 1, "\(set)")
            }
            let recipe = try JSONDecoder().decode(
                Recipe.self, from: Data(try #require(plan.publishWork?.recipe).utf8))
            let again = try self.plan(try #require(recipe.targets.first), of: fixture.path, sensitivity: nil)
            #expect(again.targets.first?.tensors == target.tensors && again.targets.first?.files == target.files)
            #expect(again.blobs == plan.blobs && again.warnings == plan.warnings)
        }
    }

    /// Without costs a plan ends where they are known; the plan with them begins with the same items.
    @Test(arguments: ["W4A16_GPTQ:bpw:9", "W4A16:size:4500000"])
    func costsAreMeasuredFirst(name: String) throws {
        let target = try #require(Recipe.Target(schemeNamed: name))
        let open = try plan(target, of: Fixtures.sample, sensitivity: nil)
        #expect(open.items.last?.payload.stage == .collect)
        let bounds = try #require(open.targets.first?.bounds)
        let costs = try MeasuredCosts.file(of: Fixtures.sample)
        let whole = try plan(target, of: Fixtures.sample, sensitivity: costs, isGiven: false)
        let beginsAlike = whole.items.starts(with: open.items)
        #expect(beginsAlike && whole.publishWork?.costs == open.items.count - 1)
        let made = try #require(whole.targets.first)
        #expect(bounds.contains(weights(made)))
        let given = try plan(target, of: Fixtures.sample, sensitivity: costs)
        #expect(given.targets.first?.tensors == made.tensors)
        let tooSmall = try #require(Recipe.Target(schemeNamed: "W4A16:bpw:2"))
        let error = #expect(throws: QuernError.self) {
            _ = try plan(tooSmall, of: Fixtures.sample, sensitivity: nil)
        }
        #expect(error?.message == "no choice of schemes is so small")
    }

    /// Layers that the user speaks of keep to that; the others make up for it.
    @Test func rulesComeFirst() throws {
        let rule = Recipe.LayerRule(pattern: "re:.*layers\\.3\\.mlp", scheme: "W4A16_CHANNEL")
        let target = try #require(try plan("W4A16:bpw:9", rules: [rule]).targets.first)
        let found = schemes(target)
        #expect(found["model.layers.3.mlp.down_proj"] == "W4A16_CHANNEL")
        #expect(found["model.layers.3.self_attn.q_proj"] != "W4A16")
        #expect(target.divergence != nil)
        let unknown = Recipe.LayerRule(pattern: "re:.*layers\\.3\\.mlp", scheme: "W8A8")
        #expect(try plan("W4A16:bpw:9", rules: [unknown]).targets.first?.divergence == nil)
    }

    @Test(
        arguments: [
            ("W4A16:size:100kB", "no choice of schemes is so small"),
            ("W4A16_GPTQ:bpw:5", "no choice of schemes is so small"),
            ("W4A16:size:much", "much"), ("W4A16:bpw:none", "is no number of bits"),
            ("W8A8:bpw:9", "what W8A8 loses by rounding activations is not measured"),
            ("NVFP4:bpw:9", "what NVFP4 loses"), ("AWQ_GEMM:bpw:9", "all layers of a folder in AWQ_GEMM"),
        ])
    func refusals(target: String, message: String) throws {
        let error = #expect(throws: QuernError.self) { try plan(target) }
        #expect(error?.code == .usage && error?.message.contains(message) == true, "\(error?.message ?? "")")
        if message.hasPrefix("no choice") {
            let smallest = try #require(error?.remedy.split(separator: " ").last.map(String.init))
            #expect(smallest.hasPrefix(String(target.prefix { $0 != ":" }) + ":"))
            #expect(try #require(try plan(smallest).targets.first).divergence != nil)
        }
    }

    @Test func asksForMeasurementsOfThisModel() throws {
        let whole = try MeasuredCosts.file(of: Fixtures.sample)
        func changed(_ change: (TensorCosts) -> TensorCosts) -> SensitivityFile {
            SensitivityFile(
                source: "o", encoder: whole.encoder, text: "t", chunkTokens: 512, chunks: 8,
                tensors: whole.tensors.map(change))
        }
        let withoutSchemes = changed {
            TensorCosts(tensor: $0.tensor, probe: $0.probe, divergence: $0.divergence, types: $0.types)
        }
        let other = changed { costs in
            TensorCosts(
                tensor: costs.tensor, probe: costs.probe, divergence: costs.divergence,
                types: costs.types.map { .init(type: $0.type, bytes: $0.bytes * 2, divergence: $0.divergence) },
                schemes: costs.schemes)
        }
        for file in [withoutSchemes, other] {
            let error = #expect(throws: QuernError.self) { try plan("W4A16:bpw:9", sensitivity: file) }
            #expect(error?.message.contains("has no schemes for it") == true)
        }
        let fewer = changed { costs in
            TensorCosts(
                tensor: costs.tensor, probe: costs.probe, divergence: costs.divergence, types: costs.types,
                schemes: costs.schemes?.filter { $0.scheme != "W8A16" })
        }
        let error = #expect(throws: QuernError.self) { try plan("W4A16:bpw:9", sensitivity: fewer) }
        #expect(error?.message == "the sensitivity file does not tell what W8A16 costs")
    }

    /// Schemes are measured with the types, of linear layers alone, behind the factors that they need.
    @Test func measuringIsWork() throws {
        let (plan, works) = try MeasuredCosts.measuring(Fixtures.sample)
        for work in works {
            let item = try #require(plan.items.first { $0.payload == .measure(work) })
            for tensor in work.tensors {
                #expect(tensor.schemes.isEmpty == (work.layer == nil))
                guard work.layer != nil else { continue }
                #expect(tensor.schemes.map(\.name).contains("W4A16_ASYM_G32_GPTQ"))
                let factor = try #require(tensor.inputs.first?.factor)
                guard case .factor(let factored) = plan.items[factor].payload else {
                    throw QuernError(.internalFault, "no factor")
                }
                #expect(factored.unit == 1 && item.dependencies.contains(factor))
            }
        }
    }
}
