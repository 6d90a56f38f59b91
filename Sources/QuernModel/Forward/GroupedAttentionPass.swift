import QuernPlanning

/// Attention of one layer with queries, keys and values straight from the input.
struct GroupedAttentionPass {
    /// To be done before anything else.
    let loading: [WeightLoader.Piece]
    private let context: PassContext
    private let attention: Attention
    private let projections: GroupedProjections
    private let layer: DecoderLayer
    private let input: LinearWeights
    private let output: LinearWeights
    private let norms: (before: LoadedNorm?, after: LoadedNorm?)
    private let queryNorm: LoadedNorm?
    private let keyNorm: LoadedNorm?
    private let sinks: [Float]?

    init(_ layer: DecoderLayer, _ projections: GroupedProjections, _ context: PassContext) throws {
        self.context = context
        self.layer = layer
        self.projections = projections
        attention = layer.attention
        let loader = context.loader
        let linears = try loader.load([projections.linear, attention.output])
        loading = linears.pieces
        (input, output) = (linears.weights[0], linears.weights[1])
        norms = try layer.attentionNorms.load(loader)
        queryNorm = try projections.queryNorm.map { try LoadedNorm($0, loader) }
        keyNorm = try projections.keyNorm.map { try LoadedNorm($0, loader) }
        sinks = try attention.sinks.map(loader.vector)
    }

    func apply(to chunk: ChunkState, rope: RopeTable, _ workspace: Workspace) throws {
        let steps = context.engine.steps
        let count = chunk.positions
        let wanted = context.wanted(of: layer, chunk)
        let rows = context.normed(norms.before, chunk, workspace)
        context.observe(projections.input, rows, count: count, chunk: chunk.index)
        let (queries, keys, values) = try project(rows, count, workspace)

        normalize(queries, heads: attention.heads, queryNorm, count)
        normalize(keys, heads: attention.keyValueHeads, keyNorm, count)
        let length = attention.keyLength
        for head in 0..<attention.keyValueHeads {
            steps.rotate(keys.from(column: head * length), count: count, pairing: attention.rope.pairing, rope)
        }
        let width = attention.heads * attention.valueLength
        let attended = Rows(base: workspace.take(.attended, PackedMatrix.padded(count) * width), stride: width)
        let scores = AttentionScores(
            engine: context.engine, keyLength: length, valueLength: attention.valueLength, softCap: attention.softCap,
            window: attention.window)
        let group = attention.heads / attention.keyValueHeads
        for head in 0..<attention.heads {
            let query = queries.from(column: head * length)
            steps.rotate(query, count: count, pairing: attention.rope.pairing, rope)
            for row in 0..<count { steps.scale(query[row], length, attention.scale) }
            try scores.apply(
                queries: query, keys: keys.from(column: head / group * length),
                values: values.from(column: head / group * attention.valueLength), sink: sinks?[head],
                into: attended.from(column: head * attention.valueLength), positions: wanted, workspace)
        }
        context.observe(attention.outputInput, attended.base, count: count, chunk: chunk.index)
        let result = try output.multiply(
            attended[wanted.lowerBound], rows: wanted.count, .output, context.engine, workspace)
        context.add(result, after: norms.after, scale: layer.residualScale, to: chunk, from: wanted.lowerBound)
    }

    /// Queries, keys and values: three matrices, or one that holds them side by side.
    private func project(
        _ rows: UnsafeMutablePointer<Float>, _ count: Int, _ workspace: Workspace
    ) throws -> (Rows, Rows, Rows) {
        if input.parts.count == 1 {
            let all = try input.multiply(rows, rows: count, .queries, context.engine, workspace)
            let keys = attention.heads * attention.keyLength
            return (
                all, all.from(column: keys),
                all.from(column: keys + attention.keyValueHeads * attention.keyLength)
            )
        }
        return (
            try input.multiply(rows, rows: count, part: 0, .queries, context.engine, workspace),
            try input.multiply(rows, rows: count, part: 1, .keys, context.engine, workspace),
            try input.multiply(rows, rows: count, part: 2, .values, context.engine, workspace)
        )
    }

    private func normalize(_ rows: Rows, heads: Int, _ norm: LoadedNorm?, _ count: Int) {
        guard let norm else { return }
        for head in 0..<(projections.normsHeads ? heads : 1) {
            let part = rows.from(column: head * attention.keyLength)
            norm.apply(context.engine.steps, from: part, to: part, count: count)
        }
    }
}

extension DecoderLayer.NormPair {
    func load(_ loader: WeightLoader) throws -> (before: LoadedNorm?, after: LoadedNorm?) {
        (try before.map { try LoadedNorm($0, loader) }, try after.map { try LoadedNorm($0, loader) })
    }
}

extension LinearWeights {
    /// One part's product with its bias, in the workspace's buffer `use`: [padded(rows), outputs of the part].
    func multiply(
        _ input: UnsafeMutablePointer<Float>, rows: Int, part: Int = 0, _ use: Workspace.Use, _ engine: MatrixEngine,
        _ workspace: Workspace
    ) throws -> Rows {
        let part = parts[part]
        let width = part.matrix.outputs
        let result = Rows(base: workspace.take(use, PackedMatrix.padded(rows) * width), stride: width)
        try part.matrix.multiply(input, rows: rows, into: result.base, workspace)
        engine.steps.add(part.bias, to: result, count: rows)
        return result
    }
}
