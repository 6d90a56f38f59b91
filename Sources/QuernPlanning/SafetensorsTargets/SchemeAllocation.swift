import QuernFormats
import QuernJobs

/// Schemes for the layers of a folder of a given size: those with the least sum of measured divergences.
struct SchemeAllocation {
    /// The target with a scheme for every layer, so that it needs no measurements.
    let target: Recipe.CompressedTensorsTarget
    /// What the artifact is expected to diverge by, in nats; nil where a scheme that the user gave was not measured.
    let divergence: Double?

    /// Layers that have one scheme, and what they may have.
    fileprivate struct Item {
        let layers: [String]
        let schemes: [Scheme?]
        let choices: [Knapsack.Choice]
    }

    /// - Parameters:
    ///   - target: with a goal. Layers with rules keep to these.
    ///   - sensitivity: nil where nothing was measured.
    ///   - model: the checkpoint as a GGUF sees it.
    ///   - sizes: what a target with rules comes to.
    /// - Returns: nil where rules name all layers already.
    /// - Throws: `QuernError` `.usage` where nothing was measured, the goal is too small or the scheme has none above it,
    ///   `.invalidInput` where the measurements are of another model.
    init?(
        _ target: Recipe.CompressedTensorsTarget, _ goal: SizeGoal, of checkpoint: StoredCheckpoint,
        sensitivity: SensitivityFile?, model: SourceModel,
        sizes: (Recipe.CompressedTensorsTarget) throws -> ArtifactSize
    ) throws {
        let ladder = try SchemeLadder(above: Scheme(target))
        let layers = try LayerSchemes(target, of: checkpoint)
        let patterns = try target.layers.map { try LayerPattern($0.pattern) }
        func name(_ index: Int) -> String { layers.tensors[index]?.layer ?? "" }
        let sets = layers.setsOfOneScheme.map { set in
            (set: set, isGiven: set.contains { index in patterns.contains { $0.matches(name(index)) } })
        }
        let free = sets.filter { !$0.isGiven }.map(\.set)
        guard !free.isEmpty else { return nil }
        guard let sensitivity else {
            throw QuernError(
                .usage, "which layers lose most has not been measured", at: "\(target.fullName):\(target.goal ?? "")",
                remedy: "Measure with quern sensitivity, and give the file with --sensitivity")
        }
        let costs = try LayerCosts(sensitivity, model: model, method: target.method)
        let items = try free.map { set in
            try Item(set.map { (name($0), checkpoint.tensors[$0]) }, ladder, costs)
        }
        let names = LayerTargets(layers: layers.tensors.compactMap { $0?.layer })
        func settled(_ chosen: [Int]) -> Recipe.CompressedTensorsTarget {
            var settled = target
            for (item, choice) in zip(items, chosen) {
                let label = item.schemes[choice]?.label ?? Recipe.LayerRule.none
                settled.layers += names.texts(for: item.layers).map { .init(pattern: $0, scheme: label) }
            }
            return settled
        }
        let smallest = items.map { item in
            item.choices.indices.min { item.choices[$0].bytes < item.choices[$1].bytes } ?? 0
        }
        func taken(_ chosen: [Int]) -> UInt64 { zip(items, chosen).reduce(0) { $0 + $1.0.choices[$1.1].bytes } }
        let least = try sizes(settled(smallest))
        let limit = goal.bytes(weights: least.weights)
        var outside = least.bytes(for: goal) - taken(smallest)
        while true {
            let budget = Int64(clamping: limit) - Int64(clamping: outside)
            guard budget >= 0, let chosen = Knapsack.choose(items.map(\.choices), budget: UInt64(budget)) else {
                throw Self.tooSmall(target, goal, least)
            }
            let settled = settled(chosen)
            let size = try sizes(settled).bytes(for: goal)
            guard size <= limit else {
                // Headers differ by some bytes from one choice to another.
                outside = size - taken(chosen)
                continue
            }
            self.target = settled
            let fixed = try sets.filter(\.isGiven).flatMap(\.set).map {
                try costs.cost(of: checkpoint.tensors[$0], in: layers.tensors[$0]?.scheme)
            }
            let sum = zip(items, chosen).reduce(0) { $0 + $1.0.choices[$1.1].cost }
            divergence = fixed.reduce(sum as Double?) { sum, cost in sum.flatMap { sum in cost.map { sum + $0 } } }
            return
        }
    }

    private static func tooSmall(
        _ target: Recipe.CompressedTensorsTarget, _ goal: SizeGoal, _ least: ArtifactSize
    ) -> QuernError {
        let smallest =
            if case .bitsPerWeight = goal.limit {
                "\(least.bitsPerWeight) bits per weight: \(target.fullName):bpw:\(least.bitsPerWeight)"
            } else {
                "\(least.files) bytes: \(target.fullName):size:\(least.files)"
            }
        return QuernError(
            .usage, "no choice of schemes is so small", at: "\(target.fullName):\(target.goal ?? "")",
            remedy: "The smallest possible is \(smallest)")
    }
}

/// What the weights of a folder come to.
struct ArtifactSize {
    /// Bytes of all files of weights.
    let files: UInt64
    /// Bytes of the tensors in them.
    let tensors: UInt64
    let weights: Int

    /// What a goal counts.
    func bytes(for goal: SizeGoal) -> UInt64 {
        if case .bitsPerWeight = goal.limit { tensors } else { files }
    }

    /// To three decimals, rounded up.
    var bitsPerWeight: Double { (Double(tensors) * 8_000 / Double(max(weights, 1))).rounded(.up) / 1000 }
}

extension SizeGoal {
    /// - Parameter weights: of the model.
    fileprivate func bytes(weights: Int) -> UInt64 {
        switch limit {
        case .bytes(let bytes): bytes
        case .bitsPerWeight(let bits): UInt64(min(bits * Double(weights) / 8, 1e18))
        case .preset: preconditionFailure("no folder has the size of a preset")
        }
    }
}

extension SchemeAllocation.Item {
    fileprivate init(
        _ layers: [(name: String, tensor: StoredCheckpoint.Tensor)], _ ladder: SchemeLadder, _ costs: LayerCosts
    ) throws {
        self.layers = layers.map(\.name)
        schemes = ladder.schemes.filter { scheme in
            guard let scheme else { return true }
            return layers.allSatisfy {
                scheme.storage.fits(rows: $0.tensor.stored.shape[0], columns: $0.tensor.stored.shape[1])
            }
        }
        choices = try schemes.map { scheme in
            var (bytes, cost) = (UInt64(0), 0.0)
            for (_, tensor) in layers {
                bytes += tensor.stored.bytes(in: scheme)
                guard let more = try costs.cost(of: tensor, in: scheme) else {
                    throw QuernError(
                        .invalidInput, "the sensitivity file does not tell what \(scheme?.label ?? "") costs",
                        at: tensor.name, remedy: "Measure again")
                }
                cost += more
            }
            return Knapsack.Choice(bytes: bytes, cost: cost)
        }
    }
}

extension SafetensorsTensor {
    /// Of all that the weights of a layer become.
    /// - Parameter scheme: nil for weights as they are.
    fileprivate func bytes(in scheme: Scheme?) -> UInt64 {
        guard let scheme else { return length }
        return scheme.components.reduce(0) { sum, component in
            let shape = scheme.storage.shape(of: component, rows: shape[0], columns: shape[1])
            return sum + (scheme.storage.type(of: component, source: type).bytes(shape: shape) ?? 0)
        }
    }
}
