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
        let tensors = try work.measured.flatMap { ordinal -> [TensorCosts] in
            guard case .measure(let result)? = context.inputs[ordinal] else {
                throw StageContext.missing(ordinal, at: "measured costs")
            }
            return result.tensors
        }
        let costs = SensitivityFile(
            source: work.source, encoder: work.encoder, text: work.text, chunkTokens: work.chunkTokens,
            chunks: min(text.chunks, work.maximumChunks), tensors: tensors)
        return StageOutcome { Completion(result: .collect(CollectResult(costs: costs))) }
    }
}
