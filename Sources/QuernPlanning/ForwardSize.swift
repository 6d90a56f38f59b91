import QuernFormats
import QuernJobs

/// What it costs to take a group of chunks through a model, and to keep statistics of what its linear layers read.
struct ForwardSize {
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

    /// Σx² and Σ|x| in double precision, max|x| in single.
    static func bytes(_ inputs: some Sequence<LinearInput>) -> Double {
        inputs.reduce(0) { $0 + 20 * Double($1.channels) * Double($1.matrices) }
    }

    /// - Parameter gramBlock: columns of the widest block of a Gram matrix; nil where there are none.
    init(
        model: SourceModel, graph: DecoderGraph, inputs: [LinearInput], chunks: Int, chunkTokens: Int,
        gramBlock: Int? = nil
    ) {
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
            largestSums = max(largestSums, Self.bytes(inputs))
            widest = max(widest, inputs.map { Double($0.channels) }.max() ?? 0)
        }
        let sums = Self.bytes(inputs)
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
            // for those of other chunks.
            gramMemory = 4 * bytes + 4 * tokens * widest
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
