import QuernPlanning

/// Chunks on their way through the layers of a decoder, for those who look at what is between them.
final class DecoderPass {
    fileprivate let states: [ChunkState]
    fileprivate let ropes: RopeTables
    fileprivate let context: PassContext
    fileprivate var next = 0

    fileprivate init(states: [ChunkState], ropes: RopeTables, context: PassContext) {
        self.states = states
        self.ropes = ropes
        self.context = context
    }

    /// The residual stream of a chunk, [positions, hidden]; valid until the pass advances or goes.
    func residual(of chunk: Int) -> UnsafeBufferPointer<Float> {
        let state = states[chunk]
        return UnsafeBufferPointer(start: state.residual.base, count: state.positions * state.residual.stride)
    }
}

extension Decoder {
    /// Embeds chunks; the steps of `forward`, one by one, with the same arguments.
    /// - Parameter leavesOutLast: whether the output of the last layer may be left out, which only the head reads.
    func begin(
        _ chunks: [[Int32]], observer: (any ActivationObserver)? = nil, leavesOutLast: Bool = false,
        progress: (Double) throws -> Void
    ) throws -> DecoderPass {
        try check(chunks)
        let context = PassContext(
            graph: graph, engine: engine, loader: loader, crew: crew, observer: observer, leavesOutLast: leavesOutLast)
        return DecoderPass(
            states: try embed(chunks, progress),
            ropes: RopeTables(loader: loader, positions: chunks.map(\.count).max() ?? 1), context: context)
    }

    /// Runs the next layer; there must be one.
    /// - Parameter progress: told the share of the layer that is done.
    func advance(_ pass: DecoderPass, progress: (Double) throws -> Void) throws {
        let layer = graph.layers[pass.next]
        // What each half takes is guessed; the bar moves on all the same.
        try attend(layer, pass.states, pass.ropes, pass.context) { try progress($0 * 0.4) }
        try feedForward(layer, pass.states, pass.context) { try progress(0.4 + $0 * 0.6) }
        pass.next += 1
    }

    /// What the head reads, after all layers.
    func finish(_ pass: DecoderPass) throws -> HiddenStates {
        try loader.checkUnchanged()
        return HiddenStates(
            hiddenSize: graph.hiddenSize, chunks: try pass.states.map { try finish($0, pass.context) })
    }
}
