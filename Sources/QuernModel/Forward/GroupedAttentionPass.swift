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
    private let sinks: LoadedSinks?

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
        queryNorm = try projections.queryNorm.map { try loader.norm($0) }
        keyNorm = try projections.keyNorm.map { try loader.norm($0) }
        sinks = try attention.sinks.map { try LoadedSinks(try loader.vector($0), on: context.engine) }
    }

    func apply(to chunk: ChunkState, rope: LoadedRope, _ lane: any ForwardLane) throws {
        let count = chunk.positions
        let wanted = context.wanted(of: layer, chunk)
        let rows = try context.normed(norms.before, chunk, lane)
        try context.observe(projections.input, rows, count: count, chunk: chunk.index, lane)
        let (queries, keys, values) = try project(rows, count, lane)

        try normalize(queries, heads: attention.heads, queryNorm, count, lane)
        try normalize(keys, heads: attention.keyValueHeads, keyNorm, count, lane)
        let length = attention.keyLength
        try lane.rotate(keys, heads: attention.keyValueHeads, length: length, count: count, by: rope)
        try lane.rotate(queries, heads: attention.heads, length: length, count: count, by: rope)
        try lane.scale(queries, by: attention.scale, width: attention.heads * length, count: count)
        let width = attention.heads * attention.valueLength
        let attended = Rows(base: try lane.take(.attended, RowPadding.up(count) * width), stride: width)
        let heads = AttentionHeads(
            heads: attention.heads, group: attention.heads / attention.keyValueHeads, keyLength: length,
            valueLength: attention.valueLength, softCap: attention.softCap, window: attention.window)
        try lane.attend(
            heads, queries: queries, keys: keys, values: values, sinks: sinks, into: attended, positions: wanted)
        try context.observe(attention.outputInput, attended.base, count: count, chunk: chunk.index, lane)
        let result = try output.multiply(attended[wanted.lowerBound], rows: wanted.count, .output, lane)
        try context.add(
            result, after: norms.after, scale: layer.residualScale, to: chunk, from: wanted.lowerBound, lane)
    }

    /// Queries, keys and values: three matrices, or one that holds them side by side.
    private func project(
        _ rows: UnsafeMutablePointer<Float>, _ count: Int, _ lane: any ForwardLane
    ) throws -> (Rows, Rows, Rows) {
        if input.parts.count == 1 {
            let all = try input.multiply(rows, rows: count, .queries, lane)
            let keys = attention.heads * attention.keyLength
            return (
                all, all.from(column: keys),
                all.from(column: keys + attention.keyValueHeads * attention.keyLength)
            )
        }
        return (
            try input.multiply(rows, rows: count, part: 0, .queries, lane),
            try input.multiply(rows, rows: count, part: 1, .keys, lane),
            try input.multiply(rows, rows: count, part: 2, .values, lane)
        )
    }

    private func normalize(
        _ rows: Rows, heads: Int, _ norm: LoadedNorm?, _ count: Int, _ lane: any ForwardLane
    ) throws {
        guard let norm else { return }
        try lane.normalize(rows, by: norm, to: rows, parts: projections.normsHeads ? heads : 1, count: count)
    }
}

extension DecoderLayer.NormPair {
    func load(_ loader: WeightLoader) throws -> (before: LoadedNorm?, after: LoadedNorm?) {
        (try before.map { try loader.norm($0) }, try after.map { try loader.norm($0) })
    }
}

extension LinearWeights {
    /// One part's product with its bias, in the lane's buffer `use`: [padded rows, outputs of the part].
    func multiply(
        _ input: UnsafeMutablePointer<Float>, rows: Int, part: Int = 0, _ use: RowUse, _ lane: any ForwardLane
    ) throws -> Rows {
        let part = parts[part]
        let width = part.matrix.outputs
        let result = Rows(base: try lane.take(use, RowPadding.up(rows) * width), stride: width)
        try lane.multiply(input, by: part.matrix, rows: rows, into: result.base)
        if let bias = part.bias {
            lane.hold(bias)
            try lane.add(Rows(base: bias.base, stride: 0), scale: 1, to: result, width: width, count: rows)
        }
        return result
    }
}
