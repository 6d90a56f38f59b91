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
    private let keyUp: any ValueBuffer
    /// For each head [value, latent].
    private let valueUp: any ValueBuffer
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
        queryDown = try projections.queryDown.map { (weights[3], try loader.norm($0.norm), $0.input) }
        norms = try layer.attentionNorms.load(loader)
        keyValueNorm = try loader.norm(projections.keyValueNorm)
        // Each head's matrix is small, and multiplied as it is.
        keyUp = try context.engine.vector(try loader.all(projections.keyUp))
        valueUp = try context.engine.vector(try loader.all(projections.valueUp))
        valueLength = projections.valueUp.outputs
    }

    func apply(to chunk: ChunkState, rope: LoadedRope, _ lane: any ForwardLane) throws {
        let count = chunk.positions
        let rows = try context.normed(norms.before, chunk, lane)
        let queries = try queries(rows, chunk, lane)
        let keys = try keys(rows, chunk, rope, lane)
        let width = attention.heads * valueLength
        let attended = Rows(base: try lane.take(.attended, RowPadding.up(count) * width), stride: width)
        for head in 0..<attention.heads {
            try attend(head, queries, keys, rope, chunk, into: attended.from(column: head * valueLength), lane)
        }
        try context.observe(attention.outputInput, attended.base, count: count, chunk: chunk.index, lane)
        let wanted = context.wanted(of: layer, chunk)
        let result = try output.multiply(attended[wanted.lowerBound], rows: wanted.count, .output, lane)
        try context.add(
            result, after: norms.after, scale: layer.residualScale, to: chunk, from: wanted.lowerBound, lane)
    }

    private func queries(
        _ rows: UnsafeMutablePointer<Float>, _ chunk: ChunkState, _ lane: any ForwardLane
    ) throws -> Rows {
        let count = chunk.positions
        try context.observe(projections.keyValueInput, rows, count: count, chunk: chunk.index, lane)
        guard let queryDown else { return try query.multiply(rows, rows: count, .queries, lane) }
        let low = try queryDown.weights.multiply(rows, rows: count, .gate, lane)
        try lane.normalize(low, by: queryDown.norm, to: low, parts: 1, count: count)
        try context.observe(projections.queryInput, low.base, count: count, chunk: chunk.index, lane)
        return try query.multiply(low.base, rows: count, .queries, lane)
    }

    /// [latent | rotated], normed and rotated.
    private func keys(
        _ rows: UnsafeMutablePointer<Float>, _ chunk: ChunkState, _ rope: LoadedRope, _ lane: any ForwardLane
    ) throws -> Rows {
        let count = chunk.positions
        let keys = try keyValueDown.multiply(rows, rows: count, .keys, lane)
        try lane.normalize(keys, by: keyValueNorm, to: keys, parts: 1, count: count)
        try lane.rotate(
            keys.from(column: projections.latent), heads: 1, length: projections.rotated, count: count, by: rope)
        if context.wants(projections.keyValueUpInput) {
            let latent = try copy(keys, projections.latent, count, lane)
            try context.observe(projections.keyValueUpInput, latent.base, count: count, chunk: chunk.index, lane)
        }
        return keys
    }

    private func attend(
        _ head: Int, _ queries: Rows, _ keys: Rows, _ rope: LoadedRope, _ chunk: ChunkState, into result: Rows,
        _ lane: any ForwardLane
    ) throws {
        let count = chunk.positions
        let (plain, rotated, latent) = (projections.plain, projections.rotated, projections.latent)
        let query = queries.from(column: head * (plain + rotated))
        if context.wants(projections.keyUpInput) {
            let rows = try copy(query, plain, count, lane)
            try context.observe(
                projections.keyUpInput, matrix: head, rows.base, count: count, chunk: chunk.index, lane)
        }
        let width = latent + rotated
        let headQuery = Rows(base: try lane.take(.headQuery, count * width), stride: width)
        try lane.multiply(
            query, Rows(base: keyUp.base + head * latent * plain, stride: plain), transposed: true, into: headQuery,
            rows: count, columns: latent, inner: plain)
        let turned = headQuery.from(column: latent)
        try lane.copy(query.from(column: plain), to: turned, width: rotated, count: count)
        try lane.rotate(turned, heads: 1, length: rotated, count: count, by: rope)
        try lane.scale(headQuery, by: attention.scale, width: width, count: count)
        let attended = Rows(base: try lane.take(.headOutput, count * latent), stride: latent)
        let heads = AttentionHeads(
            heads: 1, group: 1, keyLength: width, valueLength: latent, softCap: attention.softCap,
            window: attention.window)
        try lane.attend(
            heads, queries: headQuery, keys: keys, values: keys, sinks: nil, into: attended, positions: 0..<count)
        try context.observe(
            projections.valueUpInput, matrix: head, attended.base, count: count, chunk: chunk.index, lane)
        try lane.multiply(
            attended, Rows(base: valueUp.base + head * valueLength * latent, stride: latent), transposed: true,
            into: result, rows: count, columns: valueLength, inner: latent)
    }

    /// The first columns without gaps.
    private func copy(_ rows: Rows, _ width: Int, _ count: Int, _ lane: any ForwardLane) throws -> Rows {
        let copy = Rows(base: try lane.take(.latent, count * width), stride: width)
        try lane.copy(rows, to: copy, width: width, count: count)
        return copy
    }
}
