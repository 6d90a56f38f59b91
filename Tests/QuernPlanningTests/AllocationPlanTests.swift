import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import TestSupport
import Testing

/// Plans of targets whose types are chosen for a size.
struct AllocationPlanTests {
    /// Costs that grow towards the last layer and fall by four with each bit.
    static func sensitivity(_ source: SourceModel) -> SensitivityFile {
        SensitivityFile(
            source: "tiny-llama", encoder: EncoderVersion.refined, text: "t", chunkTokens: 512, chunks: 8,
            tensors: source.tensors.filter { $0.shape.count == 2 }.enumerated().map { index, tensor in
                let types: [ElementType] = [.q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .q8_0]
                return TensorCosts(
                    tensor: tensor.name, probe: .q3_K, divergence: Double(index + 1),
                    types: types.enumerated().map { step, type in
                        TensorCosts.TypeCost(
                            type: type, bytes: UInt64(type.bytes(elements: tensor.elements) ?? 0),
                            divergence: Double(index + 1) / Double(1 << (2 * step)))
                    })
            })
    }

    private func plan(
        _ target: String, rules: [Recipe.TensorRule] = [], sensitivity: SensitivityFile? = nil, measured: Bool = true,
        change: (inout Recipe) -> Void = { _ in }
    ) throws -> Plan {
        let source = try SourceModel.open(path: Fixtures.sample)
        let text = CalibrationPlanTests.text
        var recipe = Recipe(
            source: Fixtures.sample, name: "m", targets: [.init(gguf: target, tensors: rules)],
            calibration: .init(text: text.path, chunks: 4), sensitivity: measured ? "s.json" : nil)
        change(&recipe)
        return try Planner.plan(
            recipe: recipe, source: source, importance: nil, calibrationText: text,
            sensitivity: measured ? sensitivity ?? Self.sensitivity(source) : nil)
    }

    /// Without costs a plan ends where they are known; the plan with them begins with the same items.
    @Test(arguments: ["size:2345678", "bpw:3.5", "Q4_K_M:dynamic"])
    func costsAreMeasuredFirst(target: String) throws {
        let source = try SourceModel.open(path: Fixtures.sample)
        let open = try plan(target, measured: false)
        #expect(open.items.last?.payload.stage == .collect)
        #expect(open.items.count { $0.payload.stage == .measure } == 5)
        #expect(!open.items.contains { $0.payload.stage == .encode })
        let bounds = try #require(open.targets.first?.bounds)
        let text = CalibrationPlanTests.text
        let recipe = Recipe(
            source: Fixtures.sample, name: "m", targets: [.init(gguf: target)],
            calibration: .init(text: text.path, chunks: 4))
        let whole = try Planner.plan(
            recipe: recipe, source: source, importance: nil, calibrationText: text,
            sensitivity: Self.sensitivity(source))
        let beginsAlike = whole.items.starts(with: open.items)
        #expect(beginsAlike && whole.items.last?.payload.stage == .publish)
        #expect(whole.publishWork?.costs == open.items.count - 1)
        let bytes = try #require(whole.targets.first?.bytes)
        #expect(bounds.contains(bytes) && Double(bytes) > 0.995 * Double(bounds.upperBound))
        // As with a file of the same costs; what measured them is not in the recipe that repeats it.
        let given = try plan(target)
        #expect(given.targets.first?.tensors == whole.targets.first?.tensors)
        #expect(given.publishWork?.recipe == whole.publishWork?.recipe)
    }

    @Test(arguments: [2_000_000, 2_345_678, 3_000_000] as [UInt64])
    func sizesAreMet(bytes: UInt64) throws {
        let target = try #require(try plan("size:\(bytes)").targets.first)
        #expect(target.bytes <= bytes && Double(target.bytes) > 0.995 * Double(bytes))
        #expect(target.target == "\(bytes)" && target.files.map(\.name) == ["m-\(bytes).gguf"])
        #expect(try #require(target.divergence) > 0)
    }

    @Test(arguments: [3.5, 4.25, 6])
    func bitsAreMet(bits: Double) throws {
        let target = try #require(try plan("bpw:\(bits)").targets.first)
        let all = target.tensors.reduce(0) { $0 + $1.weights }
        let found = 8 * Double(target.tensors.reduce(0) { $0 + $1.bytes }) / Double(all)
        #expect(found <= bits && found > 0.995 * bits)
    }

    @Test(arguments: ["Q2_K", "Q4_K_M", "Q6_K"])
    func presetsLendTheirSize(preset: String) throws {
        let usual = try MethodPlan.plan(Fixtures.sample, [.init(gguf: preset)]) { $0.encoder = .reference }
        let size = try #require(usual.targets.first?.bytes)
        let target = try #require(try plan("\(preset):dynamic").targets.first)
        #expect(target.bytes <= size && Double(target.bytes) > 0.995 * Double(size))
        #expect(target.files.map(\.name) == ["m-\(preset)-dynamic.gguf"])
    }

    /// Tensors are padded as the source's are: to more bytes here than their own.
    @Test func sizesCountThePaddingOfTheSource() throws {
        let source = TestSources.llama(blocks: 4, metadata: [("general.alignment", .uint32(32768))])
        let goals: [UInt64] = [1_800_000, 2_000_000, 2_200_000]
        for goal in goals {
            let plan = try Planner.plan(
                recipe: Recipe(source: "/models/m", targets: [.init(gguf: "size:\(goal)")], sensitivity: "s.json"),
                source: source,
                importance: nil, sensitivity: Self.sensitivity(source))
            let target = try #require(plan.targets.first)
            // The smallest step between two types is a padded one.
            #expect(target.bytes <= goal && target.bytes + 2 * 32768 > goal)
        }
    }

    /// What costs more gets more bits, and a smaller size is expected to lose more.
    @Test func bitsGoWhereTheyCount() throws {
        let plans = try [2_000_000, 2_500_000].map { try #require(try plan("size:\($0)").targets.first) }
        func type(_ name: String) -> TensorType? { plans[0].tensors.first { $0.name == name }?.type }
        guard case .element(let first)? = type("blk.0.ffn_up.weight"),
            case .element(let last)? = type("blk.3.ffn_up.weight")
        else { throw QuernError(.internalFault, "no such tensors") }
        #expect((first.bytes(elements: 256) ?? 0) <= (last.bytes(elements: 256) ?? 0))
        #expect(try #require(plans[0].divergence) > (try #require(plans[1].divergence)))
    }

    /// The recipe of the manifest makes the same without measurements.
    @Test func repeatsWithoutMeasurements() throws {
        let plan = try plan("Q4_K_M:dynamic")
        let json = try #require(plan.publishWork?.recipe)
        let recipe = try JSONDecoder().decode(Recipe.self, from: Data(json.utf8))
        guard case .gguf(let target)? = recipe.targets.first else { throw QuernError(.internalFault, "no target") }
        #expect(target.preset == "Q4_K_M:dynamic" && !target.tensors.isEmpty)
        let again = try self.plan(target.preset, rules: target.tensors, measured: false)
        #expect(again.targets.first?.tensors == plan.targets.first?.tensors)
        #expect(again.targets.first?.files == plan.targets.first?.files)
    }

    @Test(arguments: [true, false], [("size:100kB", "size:"), ("bpw:1", "bpw:")])
    func theSmallestPossibleIsPossible(measured: Bool, goal: (target: String, form: String)) throws {
        let error = #expect(throws: QuernError.self) { _ = try plan(goal.target, measured: measured) }
        #expect(error?.message == "no choice of types is so small")
        let smallest = try #require(error?.remedy.split(separator: " ").last.map(String.init))
        #expect(smallest.hasPrefix(goal.form))
        #expect(try plan(smallest, measured: measured).targets.count == 1)
    }

    @Test(
        arguments: [
            ("size:100kB", "no choice of types is so small"), ("bpw:1", "no choice of types is so small"),
            ("size:much", "much"), ("bpw:none", "is no number of bits"), ("bpw:-1", "is no number of bits"),
            ("Q4_K_M:static", "unknown target 'Q4_K_M:static'"), ("Q9:dynamic", "unknown preset 'Q9'"),
        ])
    func refusals(target: String, message: String) throws {
        let error = #expect(throws: QuernError.self) { try plan(target) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test func asksForMeasurementsOfThisModel() throws {
        let none = #expect(throws: QuernError.self) {
            _ = try plan("bpw:4", measured: false) { $0.calibration = nil }
        }
        #expect(none?.message == "which types cost least is not known")
        let source = try SourceModel.open(path: Fixtures.sample)
        let whole = Self.sensitivity(source)
        let other = SensitivityFile(
            source: "o", encoder: whole.encoder, text: "t", chunkTokens: 512, chunks: 8,
            tensors: whole.tensors.dropLast())
        let error = #expect(throws: QuernError.self) { try plan("bpw:4", sensitivity: other) }
        #expect(error?.message.contains("has nothing for it") == true)
    }

    /// A measuring job: one item for each layer and one for embeddings and head, behind what it needs.
    @Test func measuringIsWork() throws {
        let source = try SourceModel.open(path: Fixtures.sample)
        let text = CalibrationPlanTests.text
        let plan = try Planner.plan(
            recipe: Recipe(
                source: Fixtures.sample, targets: [], calibration: .init(text: text.path, chunks: 4),
                measurement: .init(chunks: 3)),
            source: source, importance: nil, calibrationText: text)
        var layers: [Int?] = []
        for item in plan.items {
            guard case .measure(let work) = item.payload else { continue }
            layers.append(work.layer)
            #expect(work.maximumChunks == 3 && item.memory > 0)
            guard case .tokenize = plan.items[work.tokens].payload else {
                throw QuernError(.internalFault, "other items")
            }
            for tensor in work.tensors {
                #expect(tensor.span.outputs[tensor.probe].encoding.type == .q3_K)
                for factor in tensor.span.outputs.flatMap({ $0.refinement?.factors ?? [] }) {
                    #expect(item.dependencies.contains(factor) && plan.items[factor].payload.stage == .factor)
                }
            }
        }
        #expect(layers == [nil, 0, 1, 2, 3])
        let measured = plan.items.indices.filter { plan.items[$0].payload.stage == .measure }
        let collect = try #require(plan.publishWork?.costs)
        #expect(Set(measured).isSubset(of: plan.items[collect].dependencies))
        #expect(plan.items.last?.dependencies.contains(collect) == true)
    }

    /// Numbers that nobody means are refused, not multiplied until they overflow.
    @Test(arguments: [Int.min, 0, (1 << 20) + 1, .max])
    func measuredChunksHaveBounds(_ chunks: Int) throws {
        let text = CalibrationPlanTests.text
        let error = #expect(throws: QuernError.self) {
            try Planner.plan(
                recipe: Recipe(
                    source: Fixtures.sample, targets: [], calibration: .init(text: text.path, chunks: 4),
                    measurement: .init(chunks: chunks, layers: .max)),
                source: SourceModel.open(path: Fixtures.sample), importance: nil, calibrationText: text)
        }
        #expect(error?.code == .usage && error?.location == "measurement")
        #expect(error?.message == "1 to 1048576 chunks are needed, and at least two layers")
    }

    /// Of many layers some are measured: of those alike the first, the last and some between.
    @Test(arguments: [(2, [0, 3]), (3, [0, 1, 3]), (16, [0, 1, 2, 3])])
    func someLayersStandForOthers(most: Int, probed: [Int]) throws {
        let text = CalibrationPlanTests.text
        func plan(_ layers: Int) throws -> Plan {
            try Planner.plan(
                recipe: Recipe(
                    source: Fixtures.sample, targets: [], calibration: .init(text: text.path, chunks: 4),
                    measurement: .init(layers: layers)),
                source: SourceModel.open(path: Fixtures.sample), importance: nil, calibrationText: text)
        }
        var found: [Int?] = []
        for item in try plan(most).items {
            if case .measure(let work) = item.payload, work.isProbed { found.append(work.layer) }
            guard case .collect(let work) = item.payload else { continue }
            #expect(work.measured.filter(\.isProbed).map(\.layer) == [nil] + probed)
            #expect(work.measured.map(\.layer) == [nil, 0, 1, 2, 3])
        }
        #expect(found == [nil] + probed)
        let error = #expect(throws: QuernError.self) { _ = try plan(1) }
        #expect(error?.code == .usage && error?.location == "measurement")
    }
}
