import QuernFormats
import QuernJobs
import QuernStore

/// The work items of a calibration: cut the text, go through groups of chunks, add up.
struct CalibrationItems {
    let items: [PlannedItem]
    /// Ordinal of the first, the item that cuts the text.
    var tokenize: Int { merged - items.count + 1 }
    /// Ordinal of the last, the merge item.
    let merged: Int
    /// Inputs that statistics are taken of.
    let inputs: [LinearInput]
    /// Where channels can be rescaled.
    let folds: [Fold]
    /// Columns that a block of a Gram matrix has at most; nil where none are kept.
    let gramBlock: Int?
    let warnings: [String]

    private static let buffers: Int64 = 16 << 20
    /// Gram matrices of a model take about as many bytes as its weights have values, for every group: storing and adding
    /// them takes as long as computing what 4096 tokens bring.
    private static let gramGroupTokens = 4 * TextLimits.groupTokens

    /// - Parameters:
    ///   - model: the source as it is, before blocks are left out.
    ///   - forward: what computes the model.
    ///   - firstOrdinal: of the first item made here.
    /// - Throws: `QuernError` `.unsupported` where nothing is known of the model's forward pass, `.usage` where the
    ///   recipe asks for the impossible, `.invalidInput` for a text that is too short.
    init(
        _ calibration: Recipe.Calibration, text: SourceFile, path: String, model: SourceModel,
        forward: ForwardDevice? = nil, firstOrdinal: Int
    ) throws {
        let graph = try DecoderGraph.of(
            model, toBe: "calibrated", remedy: "Give an importance matrix file that was made elsewhere.")
        let tensors = Set(model.tensors.map(\.name))
        let inputs = graph.linearInputs.calibrated(
            processOutput: calibration.processOutput, keepsGram: calibration.gram != nil
        ) { tensors.contains($0) }
        self.inputs = inputs
        folds = graph.folds

        let chunkTokens = calibration.chunkTokens
        let limits = try TextLimits(
            chunkTokens: chunkTokens, chunks: calibration.chunks,
            groupTokens: calibration.gram == nil ? TextLimits.groupTokens : Self.gramGroupTokens, text: text,
            field: "calibration")
        let reference = model.reference(path: path)
        let gramBlock = try calibration.gram?.widestBlock(for: inputs)
        self.gramBlock = gramBlock
        let warning = gramBlock.flatMap { calibration.gram?.warning(for: inputs, widest: $0) }
        warnings = warning.map { [$0] } ?? []
        let size = ForwardSize(
            model: model, graph: graph, inputs: inputs, chunks: limits.group, chunkTokens: chunkTokens,
            gramBlock: gramBlock)

        var items = [limits.tokenize(reference, text)]
        for group in limits.groups {
            items.append(
                PlannedItem(
                    payload: .calibrate(
                        CalibrateWork(
                            model: reference, tokens: firstOrdinal, chunkTokens: chunkTokens,
                            firstChunk: group.lowerBound, maximumChunks: group.count,
                            processOutput: calibration.processOutput, gramBlock: gramBlock, forward: forward,
                            memory: size.memory)),
                    cost: limits.cost(
                        of: group, operations: size.operations * Double(group.count) / Double(limits.group)),
                    memory: size.memory, dependencies: [firstOrdinal],
                    label: "calibrate on chunks \(group.lowerBound)–\(group.upperBound - 1)"))
        }
        merged = firstOrdinal + items.count
        let ordinals = Array((firstOrdinal + 1)..<merged)
        let memory = Self.buffers + Self.mergeMemory(inputs, gramBlock: gramBlock)
        items.append(
            PlannedItem(
                payload: .merge(MergeWork(tokens: firstOrdinal, groups: ordinals, memory: memory)),
                cost: max(1, Int64(clamping: Double(size.statistics) + Double(size.gram))), memory: memory,
                dependencies: [firstOrdinal] + ordinals,
                label: "add up statistics"))
        self.items = items
    }

    /// Bytes for adding up all groups: inputs are gone through a few at a time, of which sum and summand take up to
    /// twice as much as in a file, their values as they are read and written once more, and their vectors for all
    /// tensors the rest of eight times; beside a blob that is read and one that is written.
    private static func mergeMemory(_ inputs: [LinearInput], gramBlock: Int?) -> Int64 {
        let sizes = inputs.map { input in
            ForwardSize.bytes([input])
                + (gramBlock.map { Recipe.GramLimits.bytes(of: [input], widest: $0) } ?? 0)
        }
        let all = sizes.reduce(0, +)
        let blob = min(all, Double(maximumBlobBytes))
        return Int64(clamping: 8 * max(blob, sizes.max() ?? 0) + 2 * blob)
    }
}
