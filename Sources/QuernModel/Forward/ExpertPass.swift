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
    private let router: (choice: Router, weights: any ValueBuffer, bias: (any ValueBuffer)?)
    private let shared: (weights: GatedWeights, expert: SharedExpert, gate: (any ValueBuffer)?)?

    /// Experts whose outputs are held at once, for each thread.
    private static let expertsPerThread = 2
    /// Chunks are taken together until they have so many rows for an expert.
    private static let pieceRows = 512

    init(_ layer: DecoderLayer, _ experts: ExpertFeedForward, _ context: PassContext) throws {
        self.context = context
        self.layer = layer
        self.experts = experts
        let loader = context.loader, engine = context.engine
        norms = try layer.feedForwardNorms.load(loader)
        router = (
            try Router(routing: experts.routing, choiceBias: try experts.routing.choiceBias.map(loader.vector)),
            try engine.vector(try loader.all(experts.router)),
            try experts.router.parts.first.flatMap { try loader.bias($0) }
        )
        let linears = try loader.load(experts.shared.map { [$0.up, $0.down] } ?? [])
        loading = linears.pieces
        shared = try experts.shared.map { shared in
            let weights = GatedWeights(
                up: linears.weights[0], down: linears.weights[1], isGated: true, activation: experts.activation,
                width: shared.down.inputs)
            return (weights, shared, try shared.gate.map { try engine.vector(try loader.all($0)) })
        }
    }

    /// What a chunk needs until all experts are done.
    private final class Routed: @unchecked Sendable {
        let normed: any ValueBuffer
        let sum: any ValueBuffer
        /// For each expert the rows that chose it, and with which weight.
        var rows: [[RowPlacement]]

        init(padded: Int, width: Int, experts: Int, _ engine: any ForwardEngine) throws {
            normed = try engine.allocate(padded * width)
            sum = try engine.allocate(padded * width)
            rows = Array(repeating: [], count: experts)
        }
    }

    func apply(to chunks: [ChunkState], tick: (Double) throws -> Void) throws {
        let width = context.graph.hiddenSize
        let routed = try chunks.map {
            try Routed(
                padded: RowPadding.up($0.positions), width: width, experts: experts.routing.experts, context.engine)
        }
        try context.crew.forEach(chunks.count, tick: { try tick($0 * 0.1) }) { index, lane in
            try route(chunks[index], routed[index], lane)
        }
        let batch = context.crew.threads * Self.expertsPerThread
        let all = (0..<experts.routing.experts).filter { expert in routed.contains { !$0.rows[expert].isEmpty } }
        for first in stride(from: 0, to: all.count, by: batch) {
            let some = Array(all[first..<min(all.count, first + batch)])
            let outputs = Outputs(some.count)
            try context.crew.forEach(
                some.count,
                tick: { try tick(0.1 + 0.8 * (Double(first) + $0 * Double(some.count)) / Double(all.count)) }
            ) { index, lane in
                outputs.set(index, try compute(some[index], routed, chunks, lane))
            }
            try context.crew.forEach(
                chunks.count, tick: { _ in try tick(0.1 + 0.8 * Double(first + some.count) / Double(all.count)) }
            ) { index, lane in
                for (place, expert) in some.enumerated() {
                    let skipped = routed[..<index].reduce(0) { $0 + $1.rows[expert].count }
                    guard let output = outputs.get(place) else { continue }
                    try lane.scatter(
                        output.base + skipped * width, to: routed[index].rows[expert], of: routed[index].sum.base,
                        width: width)
                }
            }
        }
        try context.crew.forEach(chunks.count, tick: { try tick(0.9 + 0.1 * $0) }) { index, lane in
            try finish(chunks[index], routed[index], lane)
        }
    }

    private func route(_ chunk: ChunkState, _ routed: Routed, _ lane: any ForwardLane) throws {
        let width = context.graph.hiddenSize
        let count = chunk.positions, padded = RowPadding.up(chunk.positions)
        let rows = try context.normed(norms.before, chunk, lane)
        try lane.copy(
            Rows(base: rows, stride: width), to: Rows(base: routed.normed.base, stride: width), width: width,
            count: padded)
        try lane.clear(routed.sum.base, count: padded * width)
        try context.observe(experts.input, rows, count: count, chunk: chunk.index, lane)
        let outputs = experts.routing.experts
        let scores = Rows(base: try lane.take(.router, count * outputs), stride: outputs)
        try multiply(Rows(base: rows, stride: width), router.weights, outputs: outputs, into: scores, count, lane)
        if let bias = router.bias {
            try lane.add(Rows(base: bias.base, stride: 0), scale: 1, to: scores, width: outputs, count: count)
        }
        try lane.read(scores.base, count: count * outputs) { scores in
            for row in context.wanted(of: layer, chunk) {
                let some = UnsafeBufferPointer(rebasing: scores[row * outputs..<(row + 1) * outputs])
                for choice in router.choice.choose(some) {
                    routed.rows[choice.expert].append(RowPlacement(row: Int32(row), weight: choice.weight))
                }
            }
        }
    }

    /// rows·weightsᵀ, for a matrix of few outputs.
    private func multiply(
        _ rows: Rows, _ weights: any ValueBuffer, outputs: Int, into result: Rows, _ count: Int,
        _ lane: any ForwardLane
    ) throws {
        let width = context.graph.hiddenSize
        try lane.multiply(
            rows, Rows(base: weights.base, stride: width), transposed: true, into: result, rows: count,
            columns: outputs, inner: width)
    }

    /// Outputs of one expert for all its rows, chunk after chunk: [rows, hidden].
    private func compute(
        _ expert: Int, _ routed: [Routed], _ chunks: [ChunkState], _ lane: any ForwardLane
    ) throws -> any ValueBuffer {
        let width = context.graph.hiddenSize
        let weights = GatedWeights(
            up: try context.loader.load(experts.up, matrix: expert, lane),
            down: try context.loader.load(experts.down, matrix: expert, lane), isGated: true,
            activation: experts.activation, width: experts.down.inputs)
        let total = routed.reduce(0) { $0 + $1.rows[expert].count }
        let result = try context.engine.allocate(total * width)
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
            let gathered = try lane.take(.gathered, RowPadding.up(count) * width)
            var place = 0
            for chunk in routed[first..<end] {
                let rows = chunk.rows[expert].map(\.row)
                try lane.gather(rows, of: chunk.normed.base, into: gathered + place * width, width: width)
                place += rows.count
            }
            try observe(experts.upInput, expert, gathered, routed, chunks, first..<end, lane)
            let activated = try weights.activated(gathered, rows: count, lane)
            try observe(experts.downInput, expert, activated.base, routed, chunks, first..<end, lane)
            let output = try weights.down.multiply(activated.base, rows: count, .output, lane)
            try lane.copy(
                output, to: Rows(base: result.base + done * width, stride: width), width: width, count: count)
            done += count
        }
        return result
    }

    /// Chunk by chunk.
    private func observe(
        _ input: LinearInput, _ expert: Int, _ rows: UnsafeMutablePointer<Float>, _ routed: [Routed],
        _ chunks: [ChunkState], _ range: Range<Int>, _ lane: any ForwardLane
    ) throws {
        var place = 0
        for index in range {
            let count = routed[index].rows[expert].count
            try context.observe(
                input, matrix: expert, rows + place * input.channels, count: count, chunk: chunks[index].index, lane)
            place += count
        }
    }

    private func finish(_ chunk: ChunkState, _ routed: Routed, _ lane: any ForwardLane) throws {
        let width = context.graph.hiddenSize
        let wanted = context.wanted(of: layer, chunk)
        let (first, count) = (wanted.lowerBound, wanted.count)
        let sum = Rows(base: routed.sum.base, stride: width).from(row: first)
        if let shared {
            let normed = routed.normed.base + first * width
            let activated = try shared.weights.activated(normed, rows: count, lane)
            try context.observe(shared.expert.downInput, activated.base, count: count, chunk: chunk.index, lane)
            let output = try shared.weights.down.multiply(activated.base, rows: count, .output, lane)
            if let weights = shared.gate {
                let gates = try gates(Rows(base: normed, stride: width), weights, count, lane)
                let placements = gates.enumerated().map { RowPlacement(row: Int32($0.offset), weight: $0.element) }
                try lane.scatter(output.base, to: placements, of: sum.base, width: width)
            } else {
                try lane.add(output, scale: 1, to: sum, width: width, count: count)
            }
        }
        try context.add(sum, after: norms.after, scale: layer.residualScale, to: chunk, from: first, lane)
    }

    /// How much each row has of the shared expert.
    private func gates(
        _ rows: Rows, _ weights: any ValueBuffer, _ count: Int, _ lane: any ForwardLane
    ) throws -> [Float] {
        let values = try lane.take(.router, count)
        try multiply(rows, weights, outputs: 1, into: Rows(base: values, stride: 1), count, lane)
        return try lane.read(values, count: count) { $0.map { 1 / (1 + exp(-$0)) } }
    }

    /// Buffers by place, set by several threads.
    private final class Outputs: @unchecked Sendable {
        private let lock = NSLock()
        private var buffers: [(any ValueBuffer)?]
        init(_ count: Int) { buffers = Array(repeating: nil, count: count) }
        func set(_ place: Int, _ buffer: any ValueBuffer) { lock.withLock { buffers[place] = buffer } }
        func get(_ place: Int) -> (any ValueBuffer)? { lock.withLock { buffers[place] } }
    }
}
