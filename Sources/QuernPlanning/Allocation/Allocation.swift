import QuernFormats
import QuernJobs

/// Types for the tensors of an artifact of a given size: those with the least sum of measured divergences.
///
/// Divergences of single tensors add up: on the models of the tests the sum is within a few percent of what the whole
/// artifact comes to.
struct Allocation {
    /// By the names of the artifact's tensors.
    let types: [String: ElementType]
    /// What the artifact is expected to diverge by, in nats.
    let divergence: Double

    /// - Parameters:
    ///   - tensors: all of the model, in the order of the artifact.
    ///   - budget: bytes of the tensors whose types are chosen.
    ///   - alignment: what tensors are padded to where they are counted; 1 for nothing.
    /// - Returns: nil where no choice is so small.
    /// - Throws: `QuernError` `.invalidInput` where the measurements are of another model.
    init?(_ sensitivity: SensitivityFile, tensors: [SourceTensor], budget: Int64, alignment: UInt64) throws {
        let costs = try Self.costs(sensitivity, of: tensors)
        let items = costs.map { tensor in
            tensor.types.map {
                Knapsack.Choice(bytes: ArtifactLayout.pad($0.bytes, to: alignment), cost: $0.divergence)
            }
        }
        guard budget >= 0, let chosen = Knapsack.choose(items, budget: UInt64(budget)) else { return nil }
        var types: [String: ElementType] = [:]
        var divergence = 0.0
        for (tensor, choice) in zip(costs, chosen) {
            types[tensor.tensor] = tensor.types[choice].type
            divergence += tensor.types[choice].divergence
        }
        self.types = types
        self.divergence = divergence
    }

    /// The tensors for which types are chosen, in the smallest: what an artifact's other bytes are counted by.
    static func smallest(_ sensitivity: SensitivityFile, of tensors: [SourceTensor]) throws -> [String: ElementType] {
        Dictionary(
            try costs(sensitivity, of: tensors).compactMap { tensor in
                tensor.types.min { $0.bytes < $1.bytes }.map { (tensor.tensor, $0.type) }
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Costs of the tensors whose types are to be chosen, in their order.
    static func costs(_ sensitivity: SensitivityFile, of tensors: [SourceTensor]) throws -> [TensorCosts] {
        let measured = Dictionary(
            sensitivity.tensors.map { ($0.tensor, $0) }, uniquingKeysWith: { first, _ in first })
        return try tensors.compactMap { tensor in
            guard TypeLadder(tensor) != nil else { return nil }
            guard let costs = measured[tensor.importanceName], costs.isMeasured(of: tensor) else {
                throw QuernError(
                    .invalidInput, "the sensitivity file has nothing for it, or for another shape", at: tensor.name,
                    remedy: "Measure this very model")
            }
            return TensorCosts(
                tensor: tensor.name, probe: costs.probe, divergence: costs.divergence, types: costs.types)
        }
    }
}

extension TensorCosts {
    /// Whether a tensor of this shape was measured.
    func isMeasured(of tensor: SourceTensor) -> Bool {
        types.allSatisfy { cost in
            EncodableTypes.contains(cost.type)
                && cost.type.bytes(elements: tensor.columns).map { UInt64($0) * UInt64(tensor.rows) } == cost.bytes
        }
    }
}
