import QuernPlanning

/// Multi-head latent attention of one layer, head by head in the latent space.
struct LatentAttentionPass {
    /// To be done before anything else.
    let loading: [WeightLoader.Piece]
    private let context: PassContext
    private let attention: Attention
    private let projections: LatentProjections
    private let layer: DecoderLayer
    private let queryDown: (weights: LinearWeights, norm: LoadedNorm, input: LinearInput)?
    private let query: LinearWeights
    private let keyValueDown: LinearWeights
    private let output: LinearWeights
    private let norms: (before: LoadedNorm?, after: LoadedNorm?)
    private let keyValueNorm: LoadedNorm
    /// For each head [latent, plain].
    private let keyUp: FloatBuffer
    /// For each head [value, latent].
    private let valueUp: FloatBuffer
    private let valueLength: Int

    init(_ layer: DecoderLayer, _ projections: LatentProjections, _ context: PassContext) throws {
        self.context = context
        self.layer = layer
        self.projections = projections
        attention = layer.attention
        let loader = context.loader
        var linears = [projections.query, projections.keyValueDown, attention.output]
        if let down = projections.queryDown { linears.append(down.down) }
        let (weights, pieces) = try loader.load(linears)
        loading = pieces
        (query, keyValueDown, output) = (weights[0], weights[1], weights[2])
        queryDown = try projections.queryDown.map { (weights[3], try LoadedNorm($0.norm, loader), $0.input) }
        norms = try layer.attentionNorms.load(loader)
        keyValueNorm = try LoadedNorm(projections.keyValueNorm, loader)
        keyUp = try Self.load(projections.keyUp, loader)
        valueUp = try Self.load(projections.valueUp, loader)
        valueLength = projections.valueUp.outputs
    }

    /// Each head's matrix is small, and multiplied as it is.
    private static func load(_ linear: Linear, _ loader: WeightLoader) throws -> FloatBuffer {
        let buffer = FloatBuffer(linear.matrices * linear.outputs * linear.inputs)
        for part in linear.parts {
            let reader = try loader.reader(part.weight)
            let rows = linear.matrices * part.outputs
            try reader.read(
                0..<rows, into: UnsafeMutableBufferPointer(start: buffer.base, count: rows * linear.inputs))
        }
        return buffer
    }

    func apply(to chunk: ChunkState, rope: RopeTable, _ workspace: Workspace) throws {
        let count = chunk.positions
        let rows = context.normed(norms.before, chunk, workspace)
        let queries = try queries(rows, chunk, workspace)
        let keys = try keys(rows, chunk, rope, workspace)
        let width = attention.heads * valueLength
        let attended = Rows(base: workspace.take(.attended, PackedMatrix.padded(count) * width), stride: width)
        for head in 0..<attention.heads {
            try attend(head, queries, keys, rope, chunk, into: attended.from(column: head * valueLength), workspace)
        }
        context.observe(attention.outputInput, attended.base, count: count, chunk: chunk.index)
        let wanted = context.wanted(of: layer, chunk)
        let result = try output.multiply(
            attended[wanted.lowerBound], rows: wanted.count, .output, context.engine, workspace)
        context.add(result, after: norms.after, scale: layer.residualScale, to: chunk, from: wanted.lowerBound)
    }

    private func queries(
        _ rows: UnsafeMutablePointer<Float>, _ chunk: ChunkState, _ workspace: Workspace
    ) throws -> Rows {
        let count = chunk.positions
        context.observe(projections.keyValueInput, rows, count: count, chunk: chunk.index)
        guard let queryDown else { return try query.multiply(rows, rows: count, .queries, context.engine, workspace) }
        let low = try queryDown.weights.multiply(rows, rows: count, .gate, context.engine, workspace)
        queryDown.norm.apply(context.engine.steps, from: low, to: low, count: count)
        context.observe(projections.queryInput, low.base, count: count, chunk: chunk.index)
        return try query.multiply(low.base, rows: count, .queries, context.engine, workspace)
    }

    /// [latent | rotated], normed and rotated.
    private func keys(
        _ rows: UnsafeMutablePointer<Float>, _ chunk: ChunkState, _ rope: RopeTable, _ workspace: Workspace
    ) throws -> Rows {
        let count = chunk.positions
        let steps = context.engine.steps
        let keys = try keyValueDown.multiply(rows, rows: count, .keys, context.engine, workspace)
        keyValueNorm.apply(steps, from: keys, to: keys, count: count)
        steps.rotate(
            keys.from(column: projections.latent), count: count, pairing: attention.rope.pairing, rope)
        if context.wants(projections.keyValueUpInput) {
            let latent = copy(keys, projections.latent, count, .latent, workspace)
            context.observe(projections.keyValueUpInput, latent.base, count: count, chunk: chunk.index)
        }
        return keys
    }

    private func attend(
        _ head: Int, _ queries: Rows, _ keys: Rows, _ rope: RopeTable, _ chunk: ChunkState, into result: Rows,
        _ workspace: Workspace
    ) throws {
        let engine = context.engine
        let count = chunk.positions
        let (plain, rotated, latent) = (projections.plain, projections.rotated, projections.latent)
        let query = queries.from(column: head * (plain + rotated))
        if context.wants(projections.keyUpInput) {
            let rows = copy(query, plain, count, .latent, workspace)
            context.observe(projections.keyUpInput, matrix: head, rows.base, count: count, chunk: chunk.index)
        }
        let width = latent + rotated
        let headQuery = Rows(base: workspace.take(.headQuery, count * width), stride: width)
        try engine.multiply(
            query, Rows(base: keyUp.base + head * latent * plain, stride: plain), transposed: true, into: headQuery,
            rows: count, columns: latent, inner: plain)
        let turned = headQuery.from(column: latent)
        for row in 0..<count { turned[row].update(from: query[row] + plain, count: rotated) }
        engine.steps.rotate(turned, count: count, pairing: attention.rope.pairing, rope)
        engine.steps.scale(headQuery.base, count * width, attention.scale)
        let attended = Rows(base: workspace.take(.headOutput, count * latent), stride: latent)
        try AttentionScores(
            engine: engine, keyLength: width, valueLength: latent, softCap: attention.softCap, window: attention.window
        ).apply(
            queries: headQuery, keys: keys, values: keys, sink: nil, into: attended, positions: 0..<count, workspace)
        context.observe(projections.valueUpInput, matrix: head, attended.base, count: count, chunk: chunk.index)
        try engine.multiply(
            attended, Rows(base: valueUp.base + head * valueLength * latent, stride: latent), transposed: true,
            into: result, rows: count, columns: valueLength, inner: latent)
    }

    /// The first columns without gaps.
    private func copy(_ rows: Rows, _ width: Int, _ count: Int, _ use: Workspace.Use, _ workspace: Workspace) -> Rows {
        let copy = Rows(base: workspace.take(use, count * width), stride: width)
        for row in 0..<count { copy[row].update(from: rows[row], count: width) }
        return copy
    }
}
