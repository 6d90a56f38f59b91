import QuernPlanning

/// What statistics have of an input, without the sums themselves.
public struct InputShape: Sendable, Equatable {
    public let name: String
    /// GGUF names of the weights that multiply the input, sorted.
    public let tensors: [String]
    public let channels: Int
    public let matrices: Int
    /// Nil where no Gram matrices are kept.
    public let gram: GramLayout?

    /// In a file: counts in eight bytes; two sums and the maximum of each channel in 20; Gram matrices in single
    /// precision.
    public var bytes: Int { matrices * (8 + 20 * channels + 4 * (gram?.values ?? 0)) }
}

extension InputStatistics {
    public var shape: InputShape {
        InputShape(name: name, tensors: tensors, channels: channels, matrices: matrices, gram: gram?.layout)
    }

    /// Whether both are sums about the same place.
    func isComparable(to other: InputStatistics) -> Bool { shape == other.shape }
}
