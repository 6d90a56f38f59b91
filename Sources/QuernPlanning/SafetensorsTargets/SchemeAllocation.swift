import QuernFormats
import QuernJobs

/// Schemes for the layers of a folder of a given size: those with the least sum of measured divergences.
struct SchemeAllocation {
    /// The target with a scheme for every layer, so that it needs no measurements.
    let target: Recipe.CompressedTensorsTarget
    let expected: Expected

    /// What is known of an artifact before it is made.
    enum Expected {
        /// Mean, in nats; nil where a scheme that the user gave was not measured.
        case divergence(Double?)
        /// The bytes that its files of weights may come to, where nothing is measured yet.
        case bounds(ClosedRange<UInt64>)
    }

    /// Layers that have one scheme, and what they may have.
    fileprivate struct Item {
        let layers: [String]
        let schemes: [Scheme?]
        let choices: [Knapsack.Choice]
    }

    /// - Parameters:
    ///   - target: with a goal. Layers with rules keep to these.
    ///   - sensitivity: nil where that is yet to be measured: the smallest schemes stand for those that will be chosen.
    ///   - model: the checkpoint as a GGUF sees it.
    ///   - sizes: what a target with rules comes to.
    /// - Returns: nil where rules name all layers already.
    /// - Throws: `QuernError` `.usage` where the goal is too small or the scheme has none above it,
    ///   `.invalidInput` where the measurements are of another model.
    init?(
        _ target: Recipe.CompressedTensorsTarget, _ goal: SizeGoal, of checkpoint: StoredCheckpoint,
        sensitivity: SensitivityFile?, model: SourceModel,
        sizes: (Recipe.CompressedTensorsTarget) throws -> ArtifactSize
    ) throws {
        let ladder = try SchemeLadder(above: Scheme(target))
        let layers = try LayerSchemes(target, of: checkpoint)
        let free = try Self.free(target, layers)
        guard !free.isEmpty else { return nil }
        func name(_ index: Int) -> String { layers.tensors[index]?.layer ?? "" }
        let costs = try sensitivity.map { try LayerCosts($0, model: model, method: target.method) }
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
        guard least.bytes(for: goal) <= limit else { throw Self.tooSmall(target, goal, least) }
        guard let costs else {
            self.target = settled(smallest)
            expected = .bounds(least.files...least.files + (limit - least.bytes(for: goal)))
            return
        }
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
            let chosenHere = Set(free.joined())
            let fixed = try layers.setsOfOneScheme.joined().filter { !chosenHere.contains($0) }.map {
                try costs.cost(of: checkpoint.tensors[$0], in: layers.tensors[$0]?.scheme)
            }
            let sum = zip(items, chosen).reduce(0) { $0 + $1.0.choices[$1.1].cost }
            expected = .divergence(
                fixed.reduce(sum as Double?) { sum, cost in sum.flatMap { sum in cost.map { sum + $0 } } })
            return
        }
    }

    /// Tensors of the layers whose schemes are chosen for a size, those together that have one; none where the target says
    /// all.
    static func free(_ target: Recipe.CompressedTensorsTarget, of checkpoint: StoredCheckpoint) throws -> [[Int]] {
        try target.goal == nil ? [] : free(target, LayerSchemes(target, of: checkpoint))
    }

    private static func free(_ target: Recipe.CompressedTensorsTarget, _ layers: LayerSchemes) throws -> [[Int]] {
        let patterns = try target.layers.map { try LayerPattern($0.pattern) }
        return layers.setsOfOneScheme.filter { set in
            !set.contains { index in patterns.contains { $0.matches(layers.tensors[index]?.layer ?? "") } }
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
        _ layers: [(name: String, tensor: StoredCheckpoint.Tensor)], _ ladder: SchemeLadder, _ costs: LayerCosts?
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
                guard let costs else { continue }
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
