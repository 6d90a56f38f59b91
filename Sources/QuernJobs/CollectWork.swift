/// Put together what was measured of tensors. In a job whose types are chosen by it, the coordinator plans with the
/// result all that makes the artifacts.
public struct CollectWork: Sendable, Codable, Equatable {
    /// The source's own name.
    public let source: String
    /// Version of the encoders.
    public let encoder: String
    /// Base name of the text.
    public let text: String
    public let chunkTokens: Int
    /// Chunks that were looked at, where the text has so many.
    public let maximumChunks: Int
    /// Ordinal of the tokenize item.
    public let tokens: Int
    /// The measure items, by layer.
    public let measured: [Layer]

    public struct Layer: Sendable, Codable, Equatable {
        public let ordinal: Int
        /// Nil for embeddings and head.
        public let layer: Int?
        public let isProbed: Bool
        public init(ordinal: Int, layer: Int?, isProbed: Bool) {
            self.ordinal = ordinal
            self.layer = layer
            self.isProbed = isProbed
        }
    }

    public init(
        source: String, encoder: String, text: String, chunkTokens: Int, maximumChunks: Int, tokens: Int,
        measured: [Layer]
    ) {
        self.source = source
        self.encoder = encoder
        self.text = text
        self.chunkTokens = chunkTokens
        self.maximumChunks = maximumChunks
        self.tokens = tokens
        self.measured = measured
    }
}

extension CollectWork {
    /// What tensors of different layers have in common: their names without the layer.
    public static func kind(of tensor: String, layer: Int) -> String {
        let prefix = "blk.\(layer)."
        return tensor.hasPrefix(prefix) ? String(tensor.dropFirst(prefix.count)) : tensor
    }
}

public struct CollectResult: Sendable, Codable, Equatable {
    public let costs: SensitivityFile
    public init(costs: SensitivityFile) { self.costs = costs }
}
