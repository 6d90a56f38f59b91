import Foundation
import QuernPlanning

/// The feed-forward of a layer with experts. Weights are read expert by expert, each for the rows of all chunks that
/// chose it; their outputs are added in the order of experts, however many were computed side by side.
struct ExpertPass {
    /// To be done before anything else.
    let loading: [WeightLoader.Piece]
    private let context: PassContext
    private let layer: DecoderLayer
    private let experts: ExpertFeedForward
    private let norms: (before: LoadedNorm?, after: LoadedNorm?)
    private let router: Router
    private let shared: (weights: GatedWeights, expert: SharedExpert, gate: [Float]?)?

    /// Experts whose outputs are held at once, for each thread.
    private static let expertsPerThread = 2
    /// Chunks are taken together until they have so many rows for an expert.
    private static let pieceRows = PackedMatrix.pieceRows

    init(_ layer: DecoderLayer, _ experts: ExpertFeedForward, _ context: PassContext) throws {
        self.context = context
        self.layer = layer
        self.experts = experts
        let loader = context.loader
        norms = try layer.feedForwardNorms.load(loader)
        router = Router(
            routing: experts.routing, weights: try loader.plain(experts.router),
            bias: try experts.router.parts.first.flatMap { try loader.bias($0) },
            choiceBias: try experts.routing.choiceBias.map(loader.vector))
        let linears = try loader.load(experts.shared.map { [$0.up, $0.down] } ?? [])
        loading = linears.pieces
        shared = try experts.shared.map { shared in
            let weights = GatedWeights(
                up: linears.weights[0], down: linears.weights[1], isGated: true, activation: experts.activation,
                width: shared.down.inputs)
            return (weights, shared, try shared.gate.map { try loader.plain($0) })
        }
    }

    /// What a chunk needs until all experts are done.
    private final class Routed: @unchecked Sendable {
        let normed: FloatBuffer
        let sum: FloatBuffer
        /// For each expert the rows that chose it, and with which weight.
        var rows: [[(row: Int, weight: Float)]]

        init(padded: Int, width: Int, experts: Int) {
            normed = FloatBuffer(padded * width)
            sum = FloatBuffer(padded * width)
            sum.base.initialize(repeating: 0, count: padded * width)
            rows = Array(repeating: [], count: experts)
        }
    }

    func apply(to chunks: [ChunkState], tick: (Double) throws -> Void) throws {
        let width = context.graph.hiddenSize
        let routed = chunks.map {
            Routed(padded: PackedMatrix.padded($0.positions), width: width, experts: experts.routing.experts)
        }
        try context.crew.forEach(chunks.count, tick: { try tick($0 * 0.1) }) { index, workspace in
            try route(chunks[index], routed[index], workspace)
        }
        let batch = context.crew.threads * Self.expertsPerThread
        let all = (0..<experts.routing.experts).filter { expert in routed.contains { !$0.rows[expert].isEmpty } }
        for first in stride(from: 0, to: all.count, by: batch) {
            let some = Array(all[first..<min(all.count, first + batch)])
            let outputs = Outputs(some.count)
            try context.crew.forEach(
                some.count,
                tick: { try tick(0.1 + 0.8 * (Double(first) + $0 * Double(some.count)) / Double(all.count)) }
            ) { index, workspace in
                outputs.set(index, try compute(some[index], routed, chunks, workspace))
            }
            try context.crew.forEach(
                chunks.count, tick: { _ in try tick(0.1 + 0.8 * Double(first + some.count) / Double(all.count)) }
            ) { index, _ in
                for (place, expert) in some.enumerated() {
                    let skipped = routed[..<index].reduce(0) { $0 + $1.rows[expert].count }
                    add(outputs.get(place), from: skipped, expert, routed[index])
                }
            }
        }
        try context.crew.forEach(chunks.count, tick: { try tick(0.9 + 0.1 * $0) }) { index, workspace in
            try finish(chunks[index], routed[index], workspace)
        }
    }

    private func route(_ chunk: ChunkState, _ routed: Routed, _ workspace: Workspace) throws {
        let engine = context.engine
        let width = context.graph.hiddenSize
        let count = chunk.positions
        let rows = context.normed(norms.before, chunk, workspace)
        routed.normed.base.update(from: rows, count: PackedMatrix.padded(count) * width)
        context.observe(experts.input, rows, count: count, chunk: chunk.index)
        let scores = Rows(
            base: workspace.take(.router, count * experts.routing.experts), stride: experts.routing.experts)
        try multiply(Rows(base: rows, stride: width), router.weights, into: scores, count: count)
        engine.steps.add(router.bias, to: scores, count: count)
        for row in context.wanted(of: layer, chunk) {
            let choices = router.choose(
                UnsafeMutableBufferPointer(start: scores[row], count: experts.routing.experts), engine.steps)
            for choice in choices { routed.rows[choice.expert].append((row, choice.weight)) }
        }
    }

    /// rows·weightsᵀ, for a matrix of few outputs.
    private func multiply(_ rows: Rows, _ weights: [Float], into result: Rows, count: Int) throws {
        let width = context.graph.hiddenSize
        let copy = FloatBuffer(weights.count)
        copy.base.update(from: weights, count: weights.count)
        try context.engine.multiply(
            rows, Rows(base: copy.base, stride: width), transposed: true, into: result, rows: count,
            columns: weights.count / width, inner: width)
    }

    /// Outputs of one expert for all its rows, chunk after chunk: [rows, hidden].
    private func compute(
        _ expert: Int, _ routed: [Routed], _ chunks: [ChunkState], _ workspace: Workspace
    ) throws -> FloatBuffer {
        let engine = context.engine
        let width = context.graph.hiddenSize
        let weights = GatedWeights(
            up: try context.loader.load(experts.up, matrix: expert, workspace),
            down: try context.loader.load(experts.down, matrix: expert, workspace), isGated: true,
            activation: experts.activation, width: experts.down.inputs)
        let total = routed.reduce(0) { $0 + $1.rows[expert].count }
        let result = FloatBuffer(total * width)
        var first = 0
        var done = 0
        while first < chunks.count {
            var end = first
            var count = 0
            while end < chunks.count, end == first || count < Self.pieceRows {
                count += routed[end].rows[expert].count
                end += 1
            }
            defer { first = end }
            guard count > 0 else { continue }
            let gathered = workspace.take(.gathered, PackedMatrix.padded(count) * width)
            var place = 0
            for chunk in routed[first..<end] {
                for (row, _) in chunk.rows[expert] {
                    (gathered + place * width).update(from: chunk.normed.base + row * width, count: width)
                    place += 1
                }
            }
            observe(experts.upInput, expert, gathered, routed, chunks, first..<end)
            let activated = try weights.activated(gathered, rows: count, engine, workspace)
            observe(experts.downInput, expert, activated.base, routed, chunks, first..<end)
            let output = try weights.down.multiply(activated.base, rows: count, .output, engine, workspace)
            (result.base + done * width).update(from: output.base, count: count * width)
            done += count
        }
        return result
    }

    /// Chunk by chunk.
    private func observe(
        _ input: LinearInput, _ expert: Int, _ rows: UnsafeMutablePointer<Float>, _ routed: [Routed],
        _ chunks: [ChunkState], _ range: Range<Int>
    ) {
        var place = 0
        for index in range {
            let count = routed[index].rows[expert].count
            context.observe(
                input, matrix: expert, rows + place * input.channels, count: count, chunk: chunks[index].index)
            place += count
        }
    }

    private func add(_ outputs: FloatBuffer?, from first: Int, _ expert: Int, _ routed: Routed) {
        guard let outputs else { return }
        let width = context.graph.hiddenSize
        for (place, (row, weight)) in routed.rows[expert].enumerated() {
            context.engine.steps.add(
                routed.sum.base + row * width, outputs.base + (first + place) * width, width, weight)
        }
    }

    private func finish(_ chunk: ChunkState, _ routed: Routed, _ workspace: Workspace) throws {
        let engine = context.engine
        let width = context.graph.hiddenSize
        let wanted = context.wanted(of: layer, chunk)
        let (first, count) = (wanted.lowerBound, wanted.count)
        let sum = Rows(base: routed.sum.base, stride: width).from(row: first)
        if let shared {
            let normed = routed.normed.base + first * width
            let activated = try shared.weights.activated(normed, rows: count, engine, workspace)
            context.observe(shared.expert.downInput, activated.base, count: count, chunk: chunk.index)
            let output = try shared.weights.down.multiply(activated.base, rows: count, .output, engine, workspace)
            var gates = [Float](repeating: 1, count: count)
            if let weights = shared.gate {
                try gates.withUnsafeMutableBufferPointer { gates in
                    guard let base = gates.baseAddress else { return }
                    try multiply(
                        Rows(base: normed, stride: width), weights, into: Rows(base: base, stride: 1), count: count)
                }
                gates = gates.map { 1 / (1 + exp(-$0)) }
            }
            for row in 0..<count { engine.steps.add(sum[row], output[row], width, gates[row]) }
        }
        context.add(sum, after: norms.after, scale: layer.residualScale, to: chunk, from: first)
    }

    /// Buffers by place, set by several threads.
    private final class Outputs: @unchecked Sendable {
        private let lock = NSLock()
        private var buffers: [FloatBuffer?]
        init(_ count: Int) { buffers = Array(repeating: nil, count: count) }
        func set(_ place: Int, _ buffer: FloatBuffer) { lock.withLock { buffers[place] = buffer } }
        func get(_ place: Int) -> FloatBuffer? { lock.withLock { buffers[place] } }
    }
}
