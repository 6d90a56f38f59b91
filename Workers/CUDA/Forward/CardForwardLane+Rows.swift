import QuernCUDA
import QuernKernels
import QuernModel
import QuernPlanning

/// Steps that work on rows: what their kernels take is said in their source.
extension CardForwardLane {
    func clear(_ values: UnsafeMutablePointer<Float>, count: Int) throws {
        try launch(.clear, columns: count) {
            $0.append(values.cardAddress)
            $0.append(UInt64(count))
            $0.append(UInt64(count))
            $0.append(UInt64(1))
        }
    }

    func copy(_ rows: Rows, to target: Rows, width: Int, count: Int) throws {
        try launch(.copy, columns: width, rows: count) {
            $0.append(rows)
            $0.append(target)
            $0.append(UInt64(width))
            $0.append(UInt64(count))
        }
    }

    func normalize(_ rows: Rows, by norm: LoadedNorm, to target: Rows, parts: Int, count: Int) throws {
        hold(norm.weight)
        norm.bias.map(hold)
        let width = norm.width, stretches = parts * count
        let sums = try take(.sums, 2 * ForwardKernel.places * stretches).cardAddress
        let factors = try take(.factors, stretches).cardAddress
        let means = norm.kind == .layer ? try take(.means, stretches).cardAddress : 0
        func sum(squares: Bool, means: UInt64) throws {
            try launch(.normSums, columns: stretches * ForwardKernel.places) {
                $0.append(rows)
                for number in [width, parts, stretches] { $0.append(UInt64(number)) }
                $0.append(Int32(squares ? 1 : 0))
                $0.append(means)
                $0.append(sums)
            }
        }
        func divide(epsilon: Float, into place: UInt64) throws {
            try launch(.normFactors, columns: stretches) {
                $0.append(sums)
                $0.append(UInt64(stretches))
                $0.append(UInt64(width))
                $0.append(epsilon)
                $0.append(place)
            }
        }
        if means != 0 {
            try sum(squares: false, means: 0)
            try divide(epsilon: -1, into: means)
        }
        try sum(squares: true, means: means)
        try divide(epsilon: norm.epsilon, into: factors)
        try launch(.normApply, columns: width * parts, rows: count) {
            $0.append(rows)
            $0.append(target)
            $0.append(UInt64(width))
            $0.append(UInt64(parts))
            $0.append(norm.weight.base.cardAddress)
            $0.append(norm.bias?.base.cardAddress ?? 0)
            $0.append(means)
            $0.append(factors)
            $0.append(UInt64(count))
        }
    }

    func add(_ rows: Rows, scale: Float, to target: Rows, width: Int, count: Int) throws {
        try launch(.add, columns: width, rows: count) {
            $0.append(target)
            $0.append(rows)
            $0.append(scale)
            $0.append(UInt64(width))
            $0.append(UInt64(count))
        }
    }

    func scale(_ rows: Rows, by factor: Float, width: Int, count: Int) throws {
        try launch(.scale, columns: width, rows: count) {
            $0.append(rows)
            $0.append(factor)
            $0.append(UInt64(width))
            $0.append(UInt64(count))
        }
    }

    func softCap(_ rows: Rows, scale: Float, cap: Float, width: Int, count: Int) throws {
        try launch(.softCap, columns: width, rows: count) {
            $0.append(rows)
            $0.append(scale)
            $0.append(cap)
            $0.append(UInt64(width))
            $0.append(UInt64(count))
        }
    }

    func rotate(_ rows: Rows, heads: Int, length: Int, count: Int, by rope: LoadedRope) throws {
        hold(rope.cosines)
        hold(rope.sines)
        try launch(.rotate, columns: heads * rope.pairs, rows: count) {
            $0.append(rows)
            $0.append(UInt64(heads))
            $0.append(UInt64(length))
            $0.append(rope.cosines.base.cardAddress)
            $0.append(rope.sines.base.cardAddress)
            $0.append(UInt64(rope.pairs))
            $0.append(Int32(rope.pairing == .neighbours ? 1 : 0))
            $0.append(UInt64(count))
        }
    }

    func activate(
        _ activation: Activation, gate: Rows, up: Rows?, into result: Rows, width: Int, count: Int
    ) throws {
        let (number, alpha, limit): (Int32, Float, Float) =
            switch activation {
            case .silu: (0, 0, 0)
            case .gelu: (1, 0, 0)
            case .clampedSilu(let alpha, let limit): (2, alpha, limit)
            }
        try launch(.activate, columns: width, rows: count) {
            $0.append(number)
            $0.append(gate)
            $0.append(up?.base.cardAddress ?? 0)
            $0.append(UInt64(up?.stride ?? 0))
            $0.append(alpha)
            $0.append(limit)
            $0.append(result)
            $0.append(UInt64(width))
            $0.append(UInt64(count))
        }
    }

    func gather(
        _ indices: [Int32], of rows: UnsafeMutablePointer<Float>, into target: UnsafeMutablePointer<Float>, width: Int
    ) throws {
        guard !indices.isEmpty else { return }
        let list = try list(indices)
        try launch(.gather, columns: width, rows: indices.count) {
            $0.append(rows.cardAddress)
            $0.append(list)
            $0.append(target.cardAddress)
            $0.append(UInt64(width))
            $0.append(UInt64(indices.count))
        }
    }

    func scatter(
        _ rows: UnsafeMutablePointer<Float>, to placements: [RowPlacement], of target: UnsafeMutablePointer<Float>,
        width: Int
    ) throws {
        guard !placements.isEmpty else { return }
        let list = try list(placements)
        try launch(.scatter, columns: width, rows: placements.count) {
            $0.append(rows.cardAddress)
            $0.append(list)
            $0.append(target.cardAddress)
            $0.append(UInt64(width))
            $0.append(UInt64(placements.count))
        }
    }
}

extension LaunchArguments {
    /// Where rows begin, and how far they are apart.
    mutating func append(_ rows: Rows) {
        append(rows.base.cardAddress)
        append(UInt64(rows.stride))
    }
}
