import QuernFormats
import QuernJobs

/// Puts together what was measured of all layers.
struct CollectStage {
    let work: CollectWork
    let context: StageContext

    func run() throws -> StageOutcome {
        guard case .tokenize(let text)? = context.inputs[work.tokens] else {
            throw StageContext.missing(work.tokens, at: "measured costs")
        }
        let results = try work.measured.map { item -> (item: CollectWork.Layer, result: MeasureResult) in
            guard case .measure(let result)? = context.inputs[item.ordinal],
                result.losses.count == result.tensors.count
            else { throw StageContext.missing(item.ordinal, at: "measured costs") }
            return (item, result)
        }
        var worths = Worths()
        for case (let item, let result) in results where item.isProbed {
            guard let layer = item.layer else { continue }
            for (tensor, loss) in zip(result.tensors, result.losses) {
                worths.add(tensor, loss: loss, layer: layer)
            }
        }
        let tensors = try results.flatMap { item, result in
            guard !item.isProbed, let layer = item.layer else { return result.tensors }
            return try zip(result.tensors, result.losses).map { tensor, loss in
                tensor.inferred(by: loss * (try worths.worth(of: tensor.tensor, layer: layer)))
            }
        }
        let costs = SensitivityFile(
            source: work.source, encoder: work.encoder, text: work.text, chunkTokens: work.chunkTokens,
            chunks: min(text.chunks, work.maximumChunks), tensors: tensors)
        return StageOutcome { Completion(result: .collect(CollectResult(costs: costs))) }
    }
}

/// What it is worth to lose less in the outputs of layers: divergence over tr(ΔHΔᵀ), by kind of tensor and layer.
private struct Worths {
    private var known: [String: [(layer: Int, worth: Double)]] = [:]

    /// Layers come in ascending order.
    mutating func add(_ tensor: TensorCosts, loss: Double, layer: Int) {
        let worth = loss > 0 ? tensor.divergence / loss : 0
        known[CollectWork.kind(of: tensor.tensor, layer: layer), default: []].append((layer, worth))
    }

    /// Between the nearest layers before and after, in proportion to the distance from each.
    func worth(of tensor: String, layer: Int) throws -> Double {
        let alike = known[CollectWork.kind(of: tensor, layer: layer)] ?? []
        let before = alike.last { $0.layer < layer }
        let after = alike.first { $0.layer > layer }
        guard let low = before ?? after, let high = after ?? before else {
            throw QuernError(.invalidInput, "no layer was measured that it could be inferred from", at: tensor)
        }
        guard low.layer < high.layer else { return low.worth }
        let share = Double(layer - low.layer) / Double(high.layer - low.layer)
        return low.worth + share * (high.worth - low.worth)
    }
}
