import QuernFormats
import QuernJobs
import QuernStore

/// The work items of a calibration: cut the text, go through groups of chunks, add up.
struct CalibrationItems {
    let items: [PlannedItem]
    /// Ordinal of the last, the merge item.
    let merged: Int
    /// Inputs that statistics are taken of.
    let inputs: [LinearInput]

    private static let buffers: Int64 = 16 << 20

    /// - Parameters:
    ///   - model: the source as it is, before blocks are left out.
    ///   - firstOrdinal: of the first item made here.
    /// - Throws: `QuernError` `.unsupported` where nothing is known of the model's forward pass, `.usage` where the
    ///   recipe asks for the impossible, `.invalidInput` for a text that is too short.
    init(
        _ calibration: Recipe.Calibration, text: SourceFile, path: String, model: SourceModel, firstOrdinal: Int
    ) throws {
        let graph = try DecoderGraph.of(
            model, toBe: "calibrated", remedy: "Give an importance matrix file that was made elsewhere.")
        let tensors = Set(model.tensors.map(\.name))
        inputs = graph.linearInputs.calibrated(processOutput: calibration.processOutput) { tensors.contains($0) }

        let chunkTokens = calibration.chunkTokens
        let limits = try TextLimits(
            chunkTokens: chunkTokens, chunks: calibration.chunks, text: text, field: "calibration")
        let reference = model.reference(path: path)
        let gramBlock = try calibration.gram?.widestBlock(for: inputs)
        let size = CalibrationSize(
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
                            processOutput: calibration.processOutput, gramBlock: gramBlock, memory: size.memory)),
                    cost: limits.cost(
                        of: group, operations: size.operations * Double(group.count) / Double(limits.group)),
                    memory: size.memory, dependencies: [firstOrdinal],
                    label: "calibrate on chunks \(group.lowerBound)–\(group.upperBound - 1)"))
        }
        merged = firstOrdinal + items.count
        let ordinals = Array((firstOrdinal + 1)..<merged)
        // Of Gram matrices two in double precision, and the files of one group and of all on the way.
        let memory = Int64(clamping: Double(Self.buffers) + 4 * Double(size.statistics) + 6 * Double(size.gram))
        items.append(
            PlannedItem(
                payload: .merge(MergeWork(tokens: firstOrdinal, groups: ordinals, memory: memory)),
                cost: max(1, Int64(clamping: Double(size.statistics) + Double(size.gram))), memory: memory,
                dependencies: [firstOrdinal] + ordinals,
                label: "add up statistics"))
        self.items = items
    }
}

/// What a group of chunks costs.
struct CalibrationSize {
    /// Bytes of a statistics file without Gram matrices.
    let statistics: Int64
    /// Bytes of the Gram matrices in it.
    let gram: Int64
    /// Peak bytes of a group.
    let memory: Int64
    /// Multiplications and additions of a group.
    let operations: Double
    /// Experts whose weights are held at a time, with a few threads.
    private static let experts = 16.0

    /// - Parameter gramBlock: columns of the widest block of a Gram matrix; nil where there are none.
    init(
        model: SourceModel, graph: DecoderGraph, inputs: [LinearInput], chunks: Int, chunkTokens: Int,
        gramBlock: Int? = nil
    ) {
        /// Σx² and Σ|x| in double precision, max|x| in single.
        func bytes(_ inputs: some Sequence<LinearInput>) -> Double {
            inputs.reduce(0) { $0 + 20 * Double($1.channels) * Double($1.matrices) }
        }
        let names = Dictionary(model.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var largestHalf = 0.0
        var largestSums = 0.0
        var widest = Double(graph.hiddenSize)
        var operations = 0.0
        for layer in graph.layers {
            let inputs = layer.linearInputs
            for half in [layer.attention.linearInputs, layer.feedForward.linearInputs] {
                var held = 0.0
                for input in half {
                    let elements = input.tensors.compactMap { names[$0] }.reduce(0) { $0 + Double($1.elements) }
                    // Experts are read a few at a time, and each row goes through a few.
                    held += elements * (input.hasExperts ? min(1, Self.experts / Double(input.matrices)) : 1)
                    operations += 2 * elements * (input.hasExperts ? min(1, 4 / Double(input.matrices)) : 1)
                }
                largestHalf = max(largestHalf, held)
            }
            largestSums = max(largestSums, bytes(inputs))
            widest = max(widest, inputs.map { Double($0.channels) }.max() ?? 0)
        }
        let sums = bytes(inputs)
        let tokens = Double(chunks) * Double(chunkTokens)
        // The residual stream of all chunks; of the chunk at hand a few rows as wide as the widest, and scores of 128
        // of its positions at a time.
        let activations =
            4
            * (2 * tokens * Double(graph.hiddenSize) + 8 * Double(chunkTokens) * widest
                + 4 * 128 * Double(chunkTokens))
        statistics = Int64(clamping: sums)
        var gramMemory = 0.0
        if let gramBlock {
            let bytes = Recipe.GramLimits.bytes(of: inputs, widest: gramBlock)
            gram = Int64(clamping: bytes)
            // In double precision, as a file, and the file's pieces on their way into the store; and rows that wait
            // for those of other chunks, twice: in single precision and packed.
            gramMemory = 4 * bytes + 8 * tokens * widest
            for input in inputs {
                let columns = Double(GramLayout(channels: input.channels, widest: gramBlock).blockColumns)
                operations += columns * Double(input.channels) * (input.hasExperts ? 4 : Double(input.matrices))
            }
        } else {
            gram = 0
        }
        memory = Int64(
            clamping: 4 * largestHalf + activations + 2 * sums + largestSums * Double(chunks) + gramMemory
                + Double(16 << 20))
        self.operations = operations * tokens
    }
}
