import QuernPlanning

/// One chunk on its way through the layers.
final class ChunkState: @unchecked Sendable {
    let index: Int
    let positions: Int
    /// [padded positions, hidden]: the residual stream.
    let residual: Rows
    private let buffer: FloatBuffer

    init(index: Int, positions: Int, hiddenSize: Int) {
        self.index = index
        self.positions = positions
        let count = PackedMatrix.padded(positions) * hiddenSize
        buffer = FloatBuffer(count)
        // Rows that only fill up are multiplied as well; the others are embedded.
        let embedded = positions * hiddenSize
        (buffer.base + embedded).initialize(repeating: 0, count: count - embedded)
        residual = Rows(base: buffer.base, stride: hiddenSize)
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
    let engine: MatrixEngine
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
        return PackedMatrix.paddedDown(chunk.positions / 2)..<chunk.positions
    }

    func observe(_ input: LinearInput, matrix: Int = 0, _ rows: UnsafePointer<Float>, count: Int, chunk: Int) {
        observer?.observe(
            input, matrix: matrix, rows: UnsafeBufferPointer(start: rows, count: count * input.channels), chunk: chunk)
    }

    /// The normed rows of a chunk from one on, or the rows themselves where there is no norm.
    func normed(
        _ norm: LoadedNorm?, _ chunk: ChunkState, from first: Int = 0, _ workspace: Workspace
    ) -> UnsafeMutablePointer<Float> {
        let residual = chunk.residual.from(row: first)
        guard let norm else { return residual.base }
        let width = graph.hiddenSize
        let count = chunk.positions - first
        let rows = Rows(base: workspace.take(.normed, PackedMatrix.padded(count) * width), stride: width)
        norm.apply(engine.steps, from: residual, to: rows, count: count)
        return rows.base
    }

    /// residual += scale · norm(output), for rows from one on.
    func add(_ output: Rows, after norm: LoadedNorm?, scale: Float, to chunk: ChunkState, from first: Int = 0) {
        let count = chunk.positions - first
        norm?.apply(engine.steps, from: output, to: output, count: count)
        let residual = chunk.residual.from(row: first)
        for row in 0..<count { engine.steps.add(residual[row], output[row], graph.hiddenSize, scale) }
    }
}

extension PassContext {
    /// Whether rows have to be put together for an input that nothing else needs.
    func wants(_ input: LinearInput) -> Bool { observer?.wants(input) ?? false }
}
