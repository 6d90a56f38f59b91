import QuernFormats
import QuernJobs

extension TradeOffs {
    /// Places on the curve, at most.
    private static let places: UInt64 = 96

    /// - Parameters:
    ///   - recipe: says which blocks are left out, and which metadata are others.
    ///   - source: with all blocks.
    /// - Throws: `QuernError` `.invalidInput` where the measurements are of another model.
    init(_ sensitivity: SensitivityFile, recipe: Recipe, source unpruned: SourceModel) throws {
        let model = ModelFacts(
            architecture: unpruned.architecture, metadata: recipe.overrides.applied(to: unpruned.metadata))
        let source = try unpruned.pruned(Set(recipe.pruneLayers))
        let draft = try Draft(
            source: source, model: model,
            importance: ImportanceVectors(sensitivity.importance(of: source)), keepsOrder: false)
        let costs = try Allocation.costs(sensitivity, of: draft.tensors)
        let presets = try Preset.allCases.filter(\.baseType.isQuantized)
            .compactMap { try Self.point($0, costs, draft) }
        self.init(
            curve: try Self.curve(costs, draft),
            presets: presets.sorted { ($0.bytes, $0.name ?? "") < ($1.bytes, $1.name ?? "") })
    }

    private static func curve(_ costs: [TensorCosts], _ draft: Draft) throws -> [Point] {
        // Of other tensors, what all sizes have.
        guard let choice = try draft.choice(of: .q8_0) else { return [] }
        let measured = Set(costs.map(\.tensor))
        let others = choice.tensors.filter { !measured.contains($0.name) }
        let weights = choice.tensors.reduce(0) { $0 + $1.weights }
        let items = costs.map { $0.types.map { Knapsack.Choice(bytes: $0.bytes, cost: $0.divergence) } }
        let (smallest, exchanges) = Knapsack.path(items)
        var chosen = smallest
        var bytes = zip(items, chosen).reduce(others.reduce(0) { $0 + $1.bytes }) { $0 + $1.0[$1.1].bytes }
        var divergence = zip(items, chosen).reduce(0) { $0 + $1.0[$1.1].cost }
        func point() -> Point {
            Point(
                bytes: bytes, bitsPerWeight: 8 * Double(bytes) / Double(max(weights, 1)),
                divergence: max(0, divergence))
        }
        var all = [point()]
        for exchange in exchanges {
            let (old, new) = (items[exchange.item][chosen[exchange.item]], items[exchange.item][exchange.choice])
            chosen[exchange.item] = exchange.choice
            bytes += new.bytes - old.bytes
            divergence -= old.cost - new.cost
            all.append(point())
        }
        let step = (bytes - all[0].bytes) / (places - 1)
        var shown = [all[0]]
        for point in all.dropFirst() where point.bytes - shown[shown.count - 1].bytes >= step || point == all.last {
            shown.append(point)
        }
        return shown
    }

    /// - Returns: nil where the model cannot be made so, or a type has not been measured.
    private static func point(_ preset: Preset, _ costs: [TensorCosts], _ draft: Draft) throws -> Point? {
        // Presets for experts leave others in the types of other presets.
        guard costs.contains(where: { tensor in tensor.types.contains { $0.type == preset.baseType } }),
            let choice = try draft.choice(of: preset)
        else { return nil }
        let types = Dictionary(
            zip(choice.tensors.map(\.name), choice.types), uniquingKeysWith: { first, _ in first })
        var divergence = 0.0
        for tensor in costs {
            guard let cost = tensor.types.first(where: { $0.type == types[tensor.tensor] }) else { return nil }
            divergence += cost.divergence
        }
        return Point(preset.name, choice.tensors, divergence: divergence)
    }
}

extension TradeOffs.Point {
    fileprivate init(_ name: String, _ tensors: [PlannedTensor], divergence: Double) {
        let bytes = tensors.reduce(0) { $0 + $1.bytes }
        let weights = tensors.reduce(0) { $0 + $1.weights }
        self.init(
            name: name, bytes: bytes, bitsPerWeight: 8 * Double(bytes) / Double(max(weights, 1)),
            divergence: divergence)
    }

    /// Nil where no types were chosen.
    public init?(_ target: TargetPlan) {
        guard let divergence = target.divergence else { return nil }
        self.init(target.target, target.tensors, divergence: divergence)
    }
}

extension TypeChoice {
    /// - Parameter source: as `TradeOffs`.
    /// - Returns: nil where no target's types were chosen.
    init?(_ sensitivity: SensitivityFile?, targets: [TargetPlan], recipe: Recipe, source: SourceModel?) throws {
        let targets = targets.compactMap(TradeOffs.Point.init)
        guard let sensitivity, let source, !targets.isEmpty else { return nil }
        self.init(
            tradeOffs: try TradeOffs(sensitivity, recipe: recipe, source: source), targets: targets,
            probes: sensitivity.tensors.map(Probe.init))
    }
}

extension Planner {
    /// What artifacts of a model are expected to diverge by at the sizes that they can have.
    /// - Throws: `QuernError` `.invalidInput` where the measurements are of another model.
    public static func tradeOffs(_ sensitivity: SensitivityFile, source: SourceModel) throws -> TradeOffs {
        try TradeOffs(sensitivity, recipe: Recipe(source: source.name, targets: []), source: source)
    }

    /// The types that would be chosen for sizes, where the text that was measured on is calibrated on.
    /// - Parameter goals: as a recipe names them: `size:4.5GB`.
    /// - Throws: `QuernError` `.usage` for what is no size, and for sizes that cannot be met.
    public static func chosen(
        for goals: [String], _ sensitivity: SensitivityFile, source: SourceModel
    ) throws -> [TargetPlan] {
        guard !goals.isEmpty else { return [] }
        for goal in goals where try SizeGoal(goal) == nil {
            throw QuernError(
                .usage, "no types are chosen for '\(goal)'", remedy: "Sizes are written \(SizeGoal.forms)")
        }
        let recipe = Recipe(
            source: source.name, targets: goals.map { Recipe.Target(gguf: $0) },
            calibration: Recipe.Calibration(text: sensitivity.text),
            encoder: EncoderVersion.isRefined(sensitivity.encoder) ? .refined : .reference)
        return try GGUFTargets(
            recipe: recipe, names: names(of: recipe), source: source, name: source.name,
            origin: sensitivity.importance(of: source), calibration: nil,
            findings: FindingItems(firstOrdinal: 0, files: source.files), sensitivity: sensitivity
        ).targets.map(\.report)
    }
}

extension SensitivityFile {
    /// Stands for what the measured tensors were calibrated with.
    fileprivate func importance(of source: SourceModel) -> ImportanceVectors.Origin {
        let measured = Set(tensors.map(\.tensor))
        let values = source.tensors.filter { measured.contains($0.importanceName) }.map { tensor in
            (tensor.importanceName, tensor.columns * tensor.shape.dropFirst(2).reduce(1, *))
        }
        return .calibration(Dictionary(values, uniquingKeysWith: { first, _ in first }), merged: 0)
    }
}

extension Draft {
    /// What a preset makes of the model; nil where something stands against it.
    fileprivate func choice(of preset: Preset) throws -> Choice? {
        guard case .gguf(let target) = Recipe.Target(gguf: preset.name) else { return nil }
        var draft = self
        try draft.add(target, name: preset.name, preset: preset, encoder: .reference, allowRequantize: false)
        return draft.refusals.isEmpty ? draft.choices.last : nil
    }
}
