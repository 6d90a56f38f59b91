import QuernPlanning

/// One chunk on its way through the layers.
final class ChunkState: @unchecked Sendable {
    let index: Int
    let positions: Int
    /// [padded positions, hidden]: the residual stream.
    let residual: Rows
    private let buffer: any ValueBuffer

    init(index: Int, positions: Int, hiddenSize: Int, _ engine: any ForwardEngine) throws {
        self.index = index
        self.positions = positions
        buffer = try engine.allocate(RowPadding.up(positions) * hiddenSize)
        residual = Rows(base: buffer.base, stride: hiddenSize)
    }

    /// Clears the rows that only fill up, which are multiplied as well.
    func clearPadding(_ lane: any ForwardLane) throws {
        try lane.clear(residual[positions], count: (RowPadding.up(positions) - positions) * residual.stride)
    }
}

/// What anybody reads of the last layer.
enum LastLayer: Sendable {
    case whole
    /// Its inputs, but not its output.
    case inputs
    /// The second half of each chunk's positions, and nothing is observed.
    case secondHalf
}

/// What all steps of a pass have at hand.
struct PassContext: Sendable {
    let graph: DecoderGraph
    let engine: any ForwardEngine
    let loader: WeightLoader
    let crew: Crew
    let observer: (any ActivationObserver)?
    let last: LastLayer

    private func isLast(_ layer: DecoderLayer) -> Bool { layer.index == graph.layers.count - 1 }

    /// Whether nobody asks for what a layer gives.
    func leavesOutOutput(of layer: DecoderLayer) -> Bool { last == .inputs && isLast(layer) }

    /// The positions of a chunk for which a layer's output is wanted.
    func wanted(of layer: DecoderLayer, _ chunk: ChunkState) -> Range<Int> {
        guard last == .secondHalf, isLast(layer) else { return 0..<chunk.positions }
        // Whole multiples, so that filling up the rest does not reach beyond the buffers.
        return RowPadding.down(chunk.positions / 2)..<chunk.positions
    }

    func observe(
        _ input: LinearInput, matrix: Int = 0, _ rows: UnsafeMutablePointer<Float>, count: Int, chunk: Int,
        _ lane: any ForwardLane
    ) throws {
        guard let observer, observer.wants(input) else { return }
        try observer.observe(
            input, matrix: matrix, rows: ObservedRows(rows, count: count, channels: input.channels, lane: lane),
            chunk: chunk)
    }

    /// The normed rows of a chunk from one on, or the rows themselves where there is no norm.
    func normed(
        _ norm: LoadedNorm?, _ chunk: ChunkState, from first: Int = 0, _ lane: any ForwardLane
    ) throws -> UnsafeMutablePointer<Float> {
        let residual = chunk.residual.from(row: first)
        guard let norm else { return residual.base }
        let width = graph.hiddenSize
        let count = chunk.positions - first
        let rows = Rows(base: try lane.take(.normed, RowPadding.up(count) * width), stride: width)
        try lane.normalize(residual, by: norm, to: rows, parts: 1, count: count)
        return rows.base
    }

    /// residual += scale · norm(output), for rows from one on.
    func add(
        _ output: Rows, after norm: LoadedNorm?, scale: Float, to chunk: ChunkState, from first: Int = 0,
        _ lane: any ForwardLane
    ) throws {
        let count = chunk.positions - first
        if let norm { try lane.normalize(output, by: norm, to: output, parts: 1, count: count) }
        try lane.add(
            output, scale: scale, to: chunk.residual.from(row: first), width: graph.hiddenSize, count: count)
    }
}

extension PassContext {
    /// Whether rows have to be put together for an input that nothing else needs.
    func wants(_ input: LinearInput) -> Bool { observer?.wants(input) ?? false }
}
