import CQuernKernels
import QuernPlanning

/// A norm with its weights at hand.
struct LoadedNorm: Sendable {
    let norm: Norm
    let weight: [Float]
    let bias: [Float]?

    init(_ norm: Norm, _ loader: WeightLoader) throws {
        self.norm = norm
        weight = try loader.vector(norm.weight)
        bias = try norm.bias.map(loader.vector)
    }

    /// Normalizes `count` stretches of the weights' width; `from` and `to` may be the same.
    func apply(_ steps: quern_forward_kernels, from: Rows, to: Rows, count: Int) {
        for row in 0..<count {
            switch norm.kind {
            case .rms: steps.rms_norm(from[row], weight.count, weight, norm.epsilon, to[row])
            case .layer: steps.layer_norm(from[row], weight.count, weight, bias, norm.epsilon, to[row])
            }
        }
    }
}

extension quern_forward_kernels {
    /// Adds a bias to every row.
    func add(_ bias: [Float]?, to rows: Rows, count: Int) {
        guard let bias else { return }
        for row in 0..<count { add(rows[row], bias, bias.count, 1) }
    }

    /// Rotates one head of every row.
    func rotate(_ rows: Rows, count: Int, pairing: Rope.Pairing, _ table: RopeTable) {
        table.cosines.withUnsafeBufferPointer { cosines in
            table.sines.withUnsafeBufferPointer { sines in
                guard let cosines = cosines.baseAddress, let sines = sines.baseAddress else { return }
                for row in 0..<count {
                    let angles = row * table.pairs
                    switch pairing {
                    case .halves: rotate_halves(rows[row], cosines + angles, sines + angles, table.pairs)
                    case .neighbours: rotate_neighbours(rows[row], cosines + angles, sines + angles, table.pairs)
                    }
                }
            }
        }
    }

    /// The rows between up and down of a feed-forward layer.
    func activate(_ activation: Activation, gate: Rows, up: Rows?, width: Int, into result: Rows, count: Int) {
        for row in 0..<count {
            switch (activation, up) {
            case (.silu, let up?): silu(gate[row], up[row], width, result[row])
            case (.clampedSilu(let alpha, let limit), let up?):
                clamped_silu(gate[row], up[row], width, alpha, limit, result[row])
            case (.gelu, let up): gelu(gate[row], up?[row], width, result[row])
            // The other functions have gates in every architecture.
            case (.silu, nil), (.clampedSilu, nil): silu(gate[row], gate[row], width, result[row])
            }
        }
    }
}
