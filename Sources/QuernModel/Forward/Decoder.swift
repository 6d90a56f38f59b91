import QuernFormats
import QuernPlanning

/// The forward pass of a model, layer by layer: the weights of one layer at a time are read from the source, decoded
/// and multiplied with every chunk. Results do not depend on the number of threads.
///
/// Memory: the weights of half a layer in single precision (of a few experts, where there are any), the residual
/// stream of all chunks, and for each thread the activations of one chunk.
///
/// Blocking: not for Swift's cooperative pool. One call at a time.
public final class Decoder {
    public let graph: DecoderGraph
    /// What the last digits of this machine's products depend on.
    public var arithmetic: String { engine.arithmetic }
    private var engine: any ForwardEngine { crew.engine }
    let loader: WeightLoader
    let crew: Crew
    private let head: HeadWeights

    /// Reads no weights.
    /// - Parameter threads: at least 1.
    /// - Throws: `QuernError` `.unsupported` for an architecture without a known forward pass, and where the library
    ///   for matrix products is not installed; `.invalidInput` where tensors or keys contradict the architecture.
    public convenience init(model: SourceModel, threads: Int) throws {
        try self.init(model: model, threads: threads, engine: try MatrixEngine())
    }

    /// - Parameter engine: what computes.
    package convenience init(model: SourceModel, threads: Int, engine: any ForwardEngine) throws {
        try self.init(model: model, crew: Crew(threads: threads, engine: engine))
    }

    /// - Parameter crew: may serve several decoders that take turns, so that its threads' activations are there once.
    init(model: SourceModel, crew: Crew) throws {
        graph = try DecoderGraph.of(model)
        loader = try WeightLoader(model: model, engine: crew.engine)
        self.crew = crew
        head = HeadWeights(head: graph.head, loader: loader)
    }

    /// Runs chunks through all layers, each chunk by itself from position 0.
    /// - Parameters:
    ///   - chunks: token ids, each from 0 to below the vocabulary; no chunk is empty. They may differ in length.
    ///   - progress: told the share that is done, in [0, 1], several times a second from the calling thread; what it
    ///     throws ends the work and is thrown.
    /// - Throws: `QuernError` `.invalidInput` for chunks like that, `.conflict` where a source file has changed, and
    ///   what reading throws.
    public func forward(
        chunks: [[Int32]], observer: (any ActivationObserver)? = nil, progress: (Double) throws -> Void
    ) throws -> HiddenStates {
        let pass = try begin(chunks, observer: observer, progress: progress)
        for layer in graph.layers {
            try advance(pass) { try progress((Double(layer.index) + $0) / Double(graph.layers.count)) }
        }
        return try finish(pass)
    }

    /// Runs chunks through the layers as `forward` does, as far as the observer has something to see: what only the head
    /// would read is left out where its input is not wanted.
    public func observe(
        chunks: [[Int32]], by observer: any ActivationObserver, progress: (Double) throws -> Void
    ) throws {
        let pass = try begin(
            chunks, observer: observer, last: observer.wants(graph.head.input) ? .whole : .inputs, progress: progress)
        for layer in graph.layers {
            try advance(pass) { try progress((Double(layer.index) + $0) / Double(graph.layers.count)) }
        }
        if observer.wants(graph.head.input) { _ = try finish(pass) } else { try loader.checkUnchanged() }
    }

    /// Logits of some positions, for a next token each.
    /// - Parameters:
    ///   - rows: positions of `chunk`. A large head is decoded for each call: the more rows the better.
    ///   - output: receives [rows.count, vocabularySize].
    ///   - progress: as for `forward`.
    public func logits(
        of states: HiddenStates, chunk: Int, rows: Range<Int>, into output: UnsafeMutableBufferPointer<Float>,
        progress: (Double) throws -> Void
    ) throws {
        guard states.hiddenSize == graph.hiddenSize, states.chunks.indices.contains(chunk), rows.lowerBound >= 0,
            rows.upperBound <= states.positions(of: chunk), output.count == rows.count * graph.vocabularySize
        else { throw QuernError(.internalFault, "logits of rows \(rows) into \(output.count) values") }
        let width = graph.hiddenSize
        let padding = RowPadding.up(rows.count) - rows.count
        let input = try engine.vector(
            states.chunks[chunk][rows.lowerBound * width..<rows.upperBound * width]
                + [Float](repeating: 0, count: padding * width))
        guard let base = output.baseAddress, !rows.isEmpty else { return }
        try head.multiply(
            input, rows: rows.count, into: Rows(base: base, stride: graph.vocabularySize), crew, progress)
    }

    func check(_ chunks: [[Int32]]) throws {
        for (index, chunk) in chunks.enumerated() {
            guard !chunk.isEmpty else { throw QuernError(.invalidInput, "it has no tokens", at: "chunk \(index)") }
            if let token = chunk.first(where: { $0 < 0 || $0 >= graph.vocabularySize }) {
                throw QuernError(
                    .invalidInput, "the token \(token) is none of the vocabulary's \(graph.vocabularySize)",
                    at: "chunk \(index)", remedy: "Use the tokenizer that belongs to the model")
            }
        }
    }

    func embed(_ chunks: [[Int32]], _ progress: (Double) throws -> Void) throws -> [ChunkState] {
        let width = graph.hiddenSize
        let states = try chunks.enumerated().map {
            try ChunkState(index: $0.offset, positions: $0.element.count, hiddenSize: width, engine)
        }
        let reader = try loader.reader(graph.embedding.tensor)
        let scale = graph.embedding.scale
        try crew.forEach(chunks.count, tick: { _ in try progress(0) }) { index, lane in
            let state = states[index], count = state.positions * width
            let values = try lane.staging(count)
            for (row, token) in chunks[index].enumerated() {
                try reader.read(
                    Int(token)..<Int(token) + 1,
                    into: UnsafeMutableBufferPointer(start: values + row * width, count: width))
            }
            try lane.put(values, count: count, at: state.residual.base)
            if scale != 1 { try lane.scale(state.residual, by: scale, width: width, count: state.positions) }
            try state.clearPadding(lane)
        }
        return states
    }

    /// The rows that the head reads, for some positions.
    func finish(_ state: ChunkState, _ positions: Range<Int>, _ context: PassContext) throws -> [Float] {
        let width = graph.hiddenSize
        let norm = try loader.norm(graph.head.norm)
        return try crew.withLane { lane in
            let rows = Rows(base: try lane.take(.normed, positions.count * width), stride: width)
            try lane.normalize(
                state.residual.from(row: positions.lowerBound), by: norm, to: rows, parts: 1, count: positions.count)
            try context.observe(
                graph.head.input, rows.base, count: positions.count, chunk: state.index, lane)
            return try lane.read(rows.base, count: positions.count * width) { Array($0) }
        }
    }
}
