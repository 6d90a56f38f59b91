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
    package let engine: MatrixEngine
    let loader: WeightLoader
    let crew: Crew
    private let head: HeadWeights

    /// Reads no weights.
    /// - Parameter threads: at least 1.
    /// - Throws: `QuernError` `.unsupported` for an architecture without a known forward pass, and where the library
    ///   for matrix products is not installed; `.invalidInput` where tensors or keys contradict the architecture.
    public convenience init(model: SourceModel, threads: Int) throws {
        try self.init(model: model, crew: Crew(threads: threads))
    }

    /// - Parameter precision: nil for what is fastest here.
    package convenience init(model: SourceModel, threads: Int, precision: MatrixEngine.Precision?) throws {
        try self.init(model: model, crew: Crew(threads: threads), precision: precision)
    }

    /// - Parameters:
    ///   - crew: may serve several decoders that take turns, so that its threads' activations are there once.
    ///   - precision: nil for what is fastest here.
    init(model: SourceModel, crew: Crew, precision: MatrixEngine.Precision? = nil) throws {
        graph = try DecoderGraph.of(model)
        engine = try MatrixEngine(precision: precision, buffers: crew.buffers)
        loader = try WeightLoader(model: model, engine: engine)
        self.crew = crew
        head = HeadWeights(head: graph.head, loader: loader, engine: engine)
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
        let input = FloatBuffer(PackedMatrix.padded(rows.count) * width)
        input.base.initialize(repeating: 0, count: input.count)
        states.chunks[chunk].withUnsafeBufferPointer { values in
            guard let base = values.baseAddress else { return }
            input.base.update(from: base + rows.lowerBound * width, count: rows.count * width)
        }
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
        let states = chunks.enumerated().map {
            ChunkState(index: $0.offset, positions: $0.element.count, hiddenSize: width)
        }
        let reader = try loader.reader(graph.embedding.tensor)
        let (scale, steps) = (graph.embedding.scale, engine.steps)
        try crew.forEach(chunks.count, tick: { _ in try progress(0) }) { index, _ in
            let residual = states[index].residual
            for (row, token) in chunks[index].enumerated() {
                try reader.read(
                    Int(token)..<Int(token) + 1, into: UnsafeMutableBufferPointer(start: residual[row], count: width))
                if scale != 1 { steps.scale(residual[row], width, scale) }
            }
        }
        return states
    }

    /// The rows that the head reads, for some positions.
    func finish(_ state: ChunkState, _ positions: Range<Int>, _ context: PassContext) throws -> [Float] {
        let width = graph.hiddenSize
        let norm = try LoadedNorm(graph.head.norm, loader)
        let rows = [Float](unsafeUninitializedCapacity: positions.count * width) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            norm.apply(
                engine.steps, from: state.residual.from(row: positions.lowerBound), to: Rows(base: base, stride: width),
                count: positions.count)
            count = positions.count * width
        }
        rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return }
            context.observe(graph.head.input, base, count: positions.count, chunk: state.index)
        }
        return rows
    }
}
