import CQuernKernels
import QuernPlanning

/// Steps on the calling thread, done when they return.
final class ProcessorLane: ForwardLane {
    private let engine: MatrixEngine
    private let workspace = Workspace()
    private let steps: quern_forward_kernels

    init(_ engine: MatrixEngine) {
        self.engine = engine
        steps = engine.steps
    }

    func take(_ use: RowUse, _ count: Int) -> UnsafeMutablePointer<Float> { workspace.take(.rows(use), count) }
    func staging(_ count: Int) -> UnsafeMutablePointer<Float> { workspace.take(.decoded, count) }

    func put(_ values: UnsafeMutablePointer<Float>, count: Int, at place: UnsafeMutablePointer<Float>) {
        place.update(from: values, count: count)
    }

    func read<Value>(
        _ values: UnsafeMutablePointer<Float>, count: Int, _ body: (UnsafeBufferPointer<Float>) throws -> Value
    ) throws -> Value {
        try body(UnsafeBufferPointer(start: values, count: count))
    }

    /// Steps are done when they return.
    func hold(_ object: AnyObject) {}

    func finish() {}

    // MARK: Products

    func pack(_ matrix: any WeightMatrix, _ rows: Range<Int>, _ values: UnsafeMutablePointer<Float>) throws {
        let packed: PackedMatrix = try own(matrix)
        try packed.pack(rows, values, workspace)
    }

    func multiply(
        _ input: UnsafeMutablePointer<Float>, by matrix: any WeightMatrix, rows: Int,
        into result: UnsafeMutablePointer<Float>
    ) throws {
        let packed: PackedMatrix = try own(matrix)
        try packed.multiply(input, rows: rows, into: result, workspace)
    }

    func multiply(
        _ a: Rows, _ b: Rows, transposed: Bool, into c: Rows, rows: Int, columns: Int, inner: Int
    ) throws {
        try engine.multiply(a, b, transposed: transposed, into: c, rows: rows, columns: columns, inner: inner)
    }

    func attend(
        _ heads: AttentionHeads, queries: Rows, keys: Rows, values: Rows, sinks: LoadedSinks?, into result: Rows,
        positions: Range<Int>
    ) throws {
        let scores = AttentionScores(engine: engine, heads: heads)
        for head in 0..<heads.heads {
            try scores.apply(
                queries: queries.from(column: head * heads.keyLength),
                keys: keys.from(column: head / heads.group * heads.keyLength),
                values: values.from(column: head / heads.group * heads.valueLength), sink: sinks?.values[head],
                into: result.from(column: head * heads.valueLength), positions: positions, workspace)
        }
    }

    // MARK: Rows

    func moments(_ rows: UnsafeMutablePointer<Float>, width: Int, count: Int) -> RowMoments {
        RowMoments(of: UnsafeBufferPointer(start: rows, count: count * width), columns: width)
    }

    func makeGram(_ layout: GramLayout) -> any GramSums {
        GramAccumulator(layout: layout, buffers: engine.gramBuffers, workspaces: engine.gramWorkspaces)
    }

    func clear(_ values: UnsafeMutablePointer<Float>, count: Int) { values.update(repeating: 0, count: count) }

    func copy(_ rows: Rows, to target: Rows, width: Int, count: Int) {
        for row in 0..<count { target[row].update(from: rows[row], count: width) }
    }

    func normalize(_ rows: Rows, by norm: LoadedNorm, to target: Rows, parts: Int, count: Int) {
        let (width, epsilon) = (norm.width, norm.epsilon)
        for part in 0..<parts {
            let from = rows.from(column: part * width), to = target.from(column: part * width)
            for row in 0..<count {
                switch norm.kind {
                case .rms: steps.rms_norm(from[row], width, norm.weight.base, epsilon, to[row])
                case .layer: steps.layer_norm(from[row], width, norm.weight.base, norm.bias?.base, epsilon, to[row])
                }
            }
        }
    }

    func add(_ rows: Rows, scale: Float, to target: Rows, width: Int, count: Int) {
        for row in 0..<count { steps.add(target[row], rows[row], width, scale) }
    }

    func scale(_ rows: Rows, by factor: Float, width: Int, count: Int) {
        for row in 0..<count { steps.scale(rows[row], width, factor) }
    }

    func softCap(_ rows: Rows, scale: Float, cap: Float, width: Int, count: Int) {
        for row in 0..<count { steps.soft_cap(rows[row], width, scale, cap) }
    }

    func rotate(_ rows: Rows, heads: Int, length: Int, count: Int, by rope: LoadedRope) {
        let (cosines, sines, pairs) = (rope.cosines.base, rope.sines.base, rope.pairs)
        for head in 0..<heads {
            let rows = rows.from(column: head * length)
            for row in 0..<count {
                let angles = row * pairs
                switch rope.pairing {
                case .halves: steps.rotate_halves(rows[row], cosines + angles, sines + angles, pairs)
                case .neighbours: steps.rotate_neighbours(rows[row], cosines + angles, sines + angles, pairs)
                }
            }
        }
    }

    func activate(_ activation: Activation, gate: Rows, up: Rows?, into result: Rows, width: Int, count: Int) {
        for row in 0..<count {
            switch (activation, up) {
            case (.silu, let up?): steps.silu(gate[row], up[row], width, result[row])
            case (.clampedSilu(let alpha, let limit), let up?):
                steps.clamped_silu(gate[row], up[row], width, alpha, limit, result[row])
            case (.gelu, let up): steps.gelu(gate[row], up?[row], width, result[row])
            // The other functions have gates in every architecture.
            case (.silu, nil), (.clampedSilu, nil): steps.silu(gate[row], gate[row], width, result[row])
            }
        }
    }

    func gather(
        _ indices: [Int32], of rows: UnsafeMutablePointer<Float>, into target: UnsafeMutablePointer<Float>, width: Int
    ) {
        for (place, index) in indices.enumerated() {
            (target + place * width).update(from: rows + Int(index) * width, count: width)
        }
    }

    func scatter(
        _ rows: UnsafeMutablePointer<Float>, to placements: [RowPlacement], of target: UnsafeMutablePointer<Float>,
        width: Int
    ) {
        for (place, placement) in placements.enumerated() {
            steps.add(target + Int(placement.row) * width, rows + place * width, width, placement.weight)
        }
    }
}
