import QuernFormats

/// What a model's artifacts are expected to diverge by at the sizes that they can have.
public struct TradeOffs: Sendable, Codable, Equatable {
    /// Types chosen by what they cost, from the smallest size to the largest.
    public let curve: [Point]
    /// What presets come to in their own types, where all of these were measured: in ascending order of bytes.
    public let presets: [Point]

    public init(curve: [Point], presets: [Point]) {
        self.curve = curve
        self.presets = presets
    }

    public struct Point: Sendable, Codable, Equatable {
        /// Of the target; nil on the curve.
        public let name: String?
        /// Of all tensors, without header and padding.
        public let bytes: UInt64
        /// Of all tensors, over all weights of the model.
        public let bitsPerWeight: Double
        /// Mean Kullback–Leibler divergence that is expected, in nats.
        public let divergence: Double

        public init(name: String? = nil, bytes: UInt64, bitsPerWeight: Double, divergence: Double) {
            self.name = name
            self.bytes = bytes
            self.bitsPerWeight = bitsPerWeight
            self.divergence = divergence
        }
    }
}

/// How the types of a job's targets were chosen by what they cost: what its report shows.
public struct TypeChoice: Sendable, Codable, Equatable {
    public let tradeOffs: TradeOffs
    /// The targets whose types were chosen, in the order of the recipe.
    public let targets: [TradeOffs.Point]
    /// In the order of the measurement.
    public let probes: [Probe]

    public init(tradeOffs: TradeOffs, targets: [TradeOffs.Point], probes: [Probe]) {
        self.tradeOffs = tradeOffs
        self.targets = targets
        self.probes = probes
    }

    /// What was measured of a tensor.
    public struct Probe: Sendable, Codable, Equatable {
        public let tensor: String
        public let type: ElementType
        /// Mean Kullback–Leibler divergence, in nats, of the model with this one tensor in that type.
        public let divergence: Double

        public init(_ costs: TensorCosts) {
            tensor = costs.tensor
            type = costs.probe
            divergence = costs.divergence
        }
    }
}
