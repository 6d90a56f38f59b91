import QuernPlanning

/// down(activation(gate(x), up(x)))
struct GatedWeights: Sendable {
    let up: LinearWeights
    let down: LinearWeights
    let isGated: Bool
    let activation: Activation
    let width: Int

    /// The rows that `down` reads: [padded(rows), width].
    func activated(
        _ input: UnsafeMutablePointer<Float>, rows: Int, _ lane: any ForwardLane
    ) throws -> Rows {
        let first = try up.multiply(input, rows: rows, .gate, lane)
        let second: Rows? =
            !isGated
            ? nil
            : up.parts.count == 1
                ? first.from(column: width) : try up.multiply(input, rows: rows, part: 1, .up, lane)
        let result = Rows(base: try lane.take(.activated, RowPadding.up(rows) * width), stride: width)
        try lane.activate(activation, gate: first, up: second, into: result, width: width, count: rows)
        return result
    }
}

/// The feed-forward of a layer without experts.
struct DensePass {
    /// To be done before anything else.
    let loading: [WeightLoader.Piece]
    private let context: PassContext
    private let layer: DecoderLayer
    private let dense: DenseFeedForward
    private let weights: GatedWeights
    private let norms: (before: LoadedNorm?, after: LoadedNorm?)

    init(_ layer: DecoderLayer, _ dense: DenseFeedForward, _ context: PassContext) throws {
        self.context = context
        self.layer = layer
        self.dense = dense
        let linears = try context.loader.load([dense.up, dense.down])
        loading = linears.pieces
        weights = GatedWeights(
            up: linears.weights[0], down: linears.weights[1], isGated: dense.isGated, activation: dense.activation,
            width: dense.width)
        norms = try layer.feedForwardNorms.load(context.loader)
    }

    func apply(to chunk: ChunkState, _ lane: any ForwardLane) throws {
        let wanted = context.wanted(of: layer, chunk)
        let (first, count) = (wanted.lowerBound, wanted.count)
        let rows = try context.normed(norms.before, chunk, from: first, lane)
        try context.observe(dense.input, rows, count: count, chunk: chunk.index, lane)
        let activated = try weights.activated(rows, rows: count, lane)
        try context.observe(dense.downInput, activated.base, count: count, chunk: chunk.index, lane)
        if context.leavesOutOutput(of: layer) { return }
        let result = try weights.down.multiply(activated.base, rows: count, .output, lane)
        try context.add(result, after: norms.after, scale: layer.residualScale, to: chunk, from: first, lane)
    }
}
