import QuernPlanning

/// Chunks on their way through the layers of a decoder, for those who look at what is between them.
final class DecoderPass {
    fileprivate let states: [ChunkState]
    fileprivate let ropes: RopeTables
    fileprivate let context: PassContext
    /// The layer that comes next.
    fileprivate(set) var next = 0
    /// What comes next, its weights loaded while threads had nothing else to do.
    fileprivate var loaded: HalfLayer?

    fileprivate init(states: [ChunkState], ropes: RopeTables, context: PassContext) {
        self.states = states
        self.ropes = ropes
        self.context = context
    }

    /// Lends the residual stream of a chunk, [positions, hidden], from a position on.
    func withResidual<Value>(
        of chunk: Int, from first: Int, _ lane: any ForwardLane, _ body: (UnsafeBufferPointer<Float>) throws -> Value
    ) throws -> Value {
        let state = states[chunk]
        return try lane.read(
            state.residual[first], count: (state.positions - first) * state.residual.stride, body)
    }
}

extension Decoder {
    /// Embeds chunks; the steps of `forward`, one by one, with the same arguments.
    /// - Parameter last: what of the last layer is going to be read.
    func begin(
        _ chunks: [[Int32]], observer: (any ActivationObserver)? = nil, last: LastLayer = .whole,
        progress: (Double) throws -> Void
    ) throws -> DecoderPass {
        try check(chunks)
        let context = PassContext(
            graph: graph, engine: crew.engine, loader: loader, crew: crew, observer: observer, last: last)
        return DecoderPass(
            states: try embed(chunks, progress),
            ropes: RopeTables(
                loader: loader, engine: crew.engine, positions: chunks.map(\.count).max() ?? 1), context: context)
    }

    /// A pass where others of decoders of the same shape are, all at the same layer: copies of their chunks, one pass after
    /// the other.
    func begin(at passes: [DecoderPass]) throws -> DecoderPass {
        let width = graph.hiddenSize
        let states = try crew.withLane { lane in
            try passes.flatMap(\.states).enumerated().map { index, state in
                let copy = try ChunkState(index: index, positions: state.positions, hiddenSize: width, crew.engine)
                try lane.copy(state.residual, to: copy.residual, width: width, count: state.positions)
                try copy.clearPadding(lane)
                return copy
            }
        }
        let context = PassContext(
            graph: graph, engine: crew.engine, loader: loader, crew: crew, observer: nil,
            last: passes.first?.context.last ?? .whole)
        let pass = DecoderPass(
            states: states,
            ropes: RopeTables(
                loader: loader, engine: crew.engine, positions: states.map(\.positions).max() ?? 1),
            context: context)
        pass.next = passes.first?.next ?? 0
        return pass
    }

    /// Runs the next layer; there must be one.
    /// - Parameter progress: told the share of the layer that is done.
    func advance(_ pass: DecoderPass, progress: (Double) throws -> Void) throws {
        // What each half takes is guessed; the bar moves on all the same.
        try run(2 * pass.next, pass) { try progress($0 * 0.4) }
        try run(2 * pass.next + 1, pass) { try progress(0.4 + $0 * 0.6) }
        pass.next += 1
    }

    private func run(_ half: Int, _ pass: DecoderPass, _ tick: (Double) throws -> Void) throws {
        let current = try pass.loaded ?? load(half, pass) { try tick($0 * 0.1) }
        pass.loaded = nil
        let computing: (Double) throws -> Void = { try tick(0.1 + $0 * 0.9) }
        switch current.work {
        case .experts(let experts): try experts.apply(to: pass.states, tick: computing)
        case .chunkwise(let apply):
            let states = pass.states
            let next = half + 1 < 2 * graph.layers.count ? try prepare(half + 1, pass) : nil
            let loading = next?.loading ?? []
            try crew.forEach(states.count + loading.count, tick: computing) { index, lane in
                if index < states.count {
                    try apply(states[index], lane)
                } else {
                    try loading[index - states.count](lane)
                }
            }
            pass.loaded = next
        }
    }

    private func load(_ half: Int, _ pass: DecoderPass, _ tick: (Double) throws -> Void) throws -> HalfLayer {
        let prepared = try prepare(half, pass)
        let loading = prepared.loading
        try crew.forEach(loading.count, tick: tick) { try loading[$0]($1) }
        return prepared
    }

    /// - Parameter half: twice the layer for its attention, one more for its feed-forward.
    private func prepare(_ half: Int, _ pass: DecoderPass) throws -> HalfLayer {
        let layer = graph.layers[half / 2]
        return half % 2 == 0
            ? try .attention(layer, pass.states, pass.ropes, pass.context) : try .feedForward(layer, pass.context)
    }

    /// What the head reads, after all layers.
    func finish(_ pass: DecoderPass) throws -> HiddenStates {
        try loader.checkUnchanged()
        return HiddenStates(
            hiddenSize: graph.hiddenSize, chunks: try pass.states.map { try finish($0, 0..<$0.positions, pass.context) }
        )
    }

    /// What the head reads for some positions of one chunk, after all layers.
    func finish(_ pass: DecoderPass, chunk: Int, positions: Range<Int>) throws -> HiddenStates {
        HiddenStates(hiddenSize: graph.hiddenSize, chunks: [try finish(pass.states[chunk], positions, pass.context)])
    }

    /// To be called when a pass has ended.
    /// - Throws: `QuernError` `.conflict` where a source file has changed.
    func checkUnchanged() throws { try loader.checkUnchanged() }
}
