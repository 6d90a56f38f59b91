import Foundation
import QuernPlanning

/// Cosines and sines for every position, [positions, pairs].
struct RopeTable: Sendable {
    let pairs: Int
    let cosines: [Float]
    let sines: [Float]

    /// - Parameters:
    ///   - factors: divisors of the frequencies; nil for 1.
    ///   - positions: at least 1.
    init(_ rope: Rope, factors: [Float]?, positions: Int) {
        let frequencies = Self.frequencies(rope, factors: factors)
        let magnitude = rope.magnitude
        var cosines: [Float] = []
        var sines: [Float] = []
        cosines.reserveCapacity(positions * frequencies.count)
        sines.reserveCapacity(positions * frequencies.count)
        for position in 0..<positions {
            for frequency in frequencies {
                // Single precision, as transformers has it: at position 4000 that is seen in the fourth digit.
                let angle = Double(Float(position) * frequency)
                cosines.append(Float(cos(angle) * magnitude))
                sines.append(Float(sin(angle) * magnitude))
            }
        }
        pairs = frequencies.count
        self.cosines = cosines
        self.sines = sines
    }

    /// Radians by which one position rotates each pair.
    static func frequencies(_ rope: Rope, factors: [Float]?) -> [Float] {
        (0..<rope.dimensions / 2).map { pair in
            let exponent = Double(2 * pair) / Double(rope.dimensions)
            var frequency = pow(rope.base, -exponent)
            if let factors { frequency /= Double(factors[pair]) }
            let scaled = frequency * rope.frequencyScale
            guard let yarn = rope.yarn else { return Float(scaled) }
            let kept = yarnShare(yarn, rope: rope, pair: pair) * yarn.extrapolation
            return Float(scaled * (1 - kept) + frequency * kept)
        }
    }

    /// How much of a pair's own frequency stays: 1 for those that turn often within the original context, 0 for those
    /// that turn less than once, and a ramp between them (arXiv 2309.00071, section 3.2).
    private static func yarnShare(_ yarn: Rope.Yarn, rope: Rope, pair: Int) -> Double {
        func dimension(turns: Double) -> Double {
            Double(rope.dimensions) * log(Double(yarn.originalContext) / (turns * 2 * Double.pi)) / (2 * log(rope.base))
        }
        var low = dimension(turns: yarn.betaFast)
        var high = dimension(turns: yarn.betaSlow)
        if yarn.truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        low = max(low, 0)
        high = min(high, Double(rope.dimensions - 1))
        let ramp = (Double(pair) - low) / max(0.001, high - low)
        return 1 - min(1, max(0, ramp))
    }
}

/// The tables of a forward pass, made when first asked for.
final class RopeTables {
    private let loader: WeightLoader
    private let engine: any ForwardEngine
    private let positions: Int
    private var tables: [Key: LoadedRope] = [:]

    private struct Key: Hashable {
        let rope: Rope
        let isLong: Bool
    }

    /// - Parameter positions: of the longest chunk.
    init(loader: WeightLoader, engine: any ForwardEngine, positions: Int) {
        self.loader = loader
        self.engine = engine
        self.positions = positions
    }

    /// The table for a chunk of `length` positions.
    func table(_ rope: Rope, length: Int) throws -> LoadedRope {
        var isLong = false
        var name: String?
        switch rope.factors {
        case .none: break
        case .tensor(let tensor): name = tensor
        case .byLength(let short, let long, let originalContext):
            isLong = length > originalContext
            name = isLong ? long : short
        }
        let key = Key(rope: rope, isLong: isLong)
        if let table = tables[key] { return table }
        let table = RopeTable(rope, factors: try name.map(loader.vector), positions: positions)
        let loaded = try LoadedRope(
            pairing: rope.pairing, pairs: table.pairs, cosines: table.cosines, sines: table.sines, on: engine)
        tables[key] = loaded
        return loaded
    }
}
