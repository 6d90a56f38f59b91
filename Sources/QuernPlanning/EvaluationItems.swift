import QuernFormats
import QuernJobs
import QuernStore

/// The work items of an evaluation: cut the text, then score groups of chunks under the source and all artifacts at
/// once, so that the source goes through each chunk once, however many targets there are.
struct EvaluationItems {
    let items: [PlannedItem]
    let reference: EvaluationReference

    private static let buffers: Int64 = 16 << 20
    /// Bytes of logits that are held at a time, and of weights of a head that stay in memory.
    private static let logits = 192.0 * Double(1 << 20)

    /// - Parameters:
    ///   - text: what `evaluation.text` names.
    ///   - path: of the source.
    ///   - model: the source as it is, before blocks are left out.
    ///   - candidates: of every target.
    ///   - firstOrdinal: of the first item made here.
    /// - Throws: `QuernError` `.unsupported` where nothing is known of the model's forward pass, `.usage` where the
    ///   recipe asks for the impossible, `.invalidInput` for a text that is too short.
    init(
        _ evaluation: Recipe.Evaluation, text: SourceFile, path: String, model: SourceModel,
        candidates: [EvaluateWork.Candidate], forward: ForwardDevice? = nil, firstOrdinal: Int
    ) throws {
        let graph = try DecoderGraph.of(model, toBe: "evaluated", remedy: "Leave the evaluation out.")
        let chunkTokens = evaluation.chunkTokens
        let limits = try TextLimits(
            chunkTokens: chunkTokens, chunks: evaluation.chunks, text: text, field: "evaluation")
        let reference = model.reference(path: path)
        let size = ForwardSize(
            model: model, graph: graph, inputs: [], chunks: limits.group, chunkTokens: chunkTokens)
        let models = Double(candidates.count + 1)
        let tokens = Double(limits.group) * Double(chunkTokens)
        let streams = 8 * models * tokens * Double(graph.hiddenSize)
        let head = 4 * Double(graph.hiddenSize) * Double(graph.vocabularySize)
        let memory =
            size.memory
            + Int64(clamping: streams + models * min(head, Self.logits) + Self.logits + Double(Self.buffers))

        var items = [limits.tokenize(reference, text)]
        for group in limits.groups {
            let operations = models * size.operations * Double(group.count) / Double(limits.group)
            items.append(
                PlannedItem(
                    payload: .evaluate(
                        EvaluateWork(
                            model: reference, candidates: candidates, tokens: firstOrdinal, chunkTokens: chunkTokens,
                            firstChunk: group.lowerBound, maximumChunks: group.count, forward: forward,
                            memory: memory)),
                    cost: limits.cost(of: group, operations: operations), memory: memory,
                    dependencies: candidates.flatMap(\.files) + [firstOrdinal],
                    label: "evaluate on chunks \(group.lowerBound)–\(group.upperBound - 1)"))
        }
        self.items = items
        self.reference = EvaluationReference(
            chunkTokens: chunkTokens, groups: Array(firstOrdinal + 1..<firstOrdinal + items.count),
            memory: Self.scores(
                chunks: limits.chunks, chunkTokens: chunkTokens, candidates: candidates.count,
                layers: graph.layers.count))
    }

    /// Bytes of all scores at once: losses of the source, and of each candidate losses, divergences, same top and for
    /// each chunk two numbers of every layer, twice while they are appended to. Of one candidate at a time seven
    /// quantities are gone through in double precision, beside the source's.
    private static func scores(chunks: Int, chunkTokens: Int, candidates: Int, layers: Int) -> Int64 {
        // Of each chunk the second half is scored.
        let positions = Double(chunks) * Double(chunkTokens / 2)
        let kept = positions * (4 + 9 * Double(candidates)) + 16 * Double(candidates) * Double(chunks) * Double(layers)
        return Int64(clamping: 2 * kept + 8 * 8 * positions)
    }
}
