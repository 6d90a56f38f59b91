import QuernPlanning

/// Where a row goes, and how much of it.
package struct RowPlacement: BitwiseCopyable, Sendable {
    package let row: Int32
    package let weight: Float

    package init(row: Int32, weight: Float) { (self.row, self.weight) = (row, weight) }
}

/// The shape of an attention.
package struct AttentionHeads: Sendable {
    package let heads: Int
    /// Heads that share keys and values.
    package let group: Int
    package let keyLength: Int
    package let valueLength: Int
    package let softCap: Float?
    /// Positions that a query sees at most, its own included.
    package let window: Int?

    package init(heads: Int, group: Int, keyLength: Int, valueLength: Int, softCap: Float?, window: Int?) {
        (self.heads, self.group, self.keyLength, self.valueLength) = (heads, group, keyLength, valueLength)
        (self.softCap, self.window) = (softCap, window)
    }

    /// The first position that another one sees.
    package func firstSeen(by position: Int) -> Int { window.map { max(0, position - $0 + 1) } ?? 0 }
}

/// Scores of sinks, one for each head.
package struct LoadedSinks: Sendable {
    package let values: [Float]
    package let buffer: any ValueBuffer

    package init(_ values: [Float], on engine: any ForwardEngine) throws {
        self.values = values
        buffer = try engine.vector(values)
    }
}

/// A norm with its weights where the engine computes.
package struct LoadedNorm: Sendable {
    package let kind: Norm.Kind
    package let epsilon: Float
    package let width: Int
    package let weight: any ValueBuffer
    package let bias: (any ValueBuffer)?

    package init(
        _ kind: Norm.Kind, epsilon: Float, weight: [Float], bias: [Float]?, on engine: any ForwardEngine
    ) throws {
        (self.kind, self.epsilon, width) = (kind, epsilon, weight.count)
        self.weight = try engine.vector(weight)
        self.bias = try bias.map(engine.vector)
    }
}

/// Cosines and sines for every position, [positions, pairs], where the engine computes.
package struct LoadedRope: Sendable {
    package let pairing: Rope.Pairing
    package let pairs: Int
    package let cosines: any ValueBuffer
    package let sines: any ValueBuffer

    /// - Parameters:
    ///   - cosines, sines: [positions, pairs].
    package init(
        pairing: Rope.Pairing, pairs: Int, cosines: [Float], sines: [Float], on engine: any ForwardEngine
    ) throws {
        (self.pairing, self.pairs) = (pairing, pairs)
        self.cosines = try engine.vector(cosines)
        self.sines = try engine.vector(sines)
    }
}
