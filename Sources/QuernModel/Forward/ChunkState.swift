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

/// What all steps of a pass have at hand.
struct PassContext: Sendable {
    let graph: DecoderGraph
    let engine: MatrixEngine
    let loader: WeightLoader
    let crew: Crew
    let observer: (any ActivationObserver)?
    let leavesOutLast: Bool

    /// Whether nobody asks for what a layer gives.
    func leavesOutOutput(of layer: DecoderLayer) -> Bool { leavesOutLast && layer.index == graph.layers.count - 1 }

    func observe(_ input: LinearInput, matrix: Int = 0, _ rows: UnsafePointer<Float>, count: Int, chunk: Int) {
        observer?.observe(
            input, matrix: matrix, rows: UnsafeBufferPointer(start: rows, count: count * input.channels), chunk: chunk)
    }

    /// The normed rows of a chunk, or the rows themselves where there is no norm.
    func normed(_ norm: LoadedNorm?, _ chunk: ChunkState, _ workspace: Workspace) -> UnsafeMutablePointer<Float> {
        guard let norm else { return chunk.residual.base }
        let width = graph.hiddenSize
        let rows = Rows(base: workspace.take(.normed, PackedMatrix.padded(chunk.positions) * width), stride: width)
        norm.apply(engine.steps, from: chunk.residual, to: rows, count: chunk.positions)
        return rows.base
    }

    /// residual += scale · norm(output)
    func add(_ output: Rows, after norm: LoadedNorm?, scale: Float, to chunk: ChunkState) {
        norm?.apply(engine.steps, from: output, to: output, count: chunk.positions)
        for row in 0..<chunk.positions {
            engine.steps.add(chunk.residual[row], output[row], graph.hiddenSize, scale)
        }
    }
}

extension PassContext {
    /// Whether rows have to be put together for an input that nothing else needs.
    func wants(_ input: LinearInput) -> Bool { observer?.wants(input) ?? false }
}
