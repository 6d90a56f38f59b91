/// A place in the forward pass where linear layers read their input: what calibration collects statistics about.
public struct LinearInput: Sendable, Hashable {
    /// Unique in the model: the first of `tensors`.
    public let name: String
    /// GGUF names of the weights that multiply this input, all of `channels` columns.
    public let tensors: [String]
    /// Width of a row.
    public let channels: Int
    /// Experts, of which each sees the rows that were routed to it; heads where a weight has a matrix for each (the
    /// latent attention of deepseek2); otherwise 1.
    public let matrices: Int
    /// Index of the layer; nil for the head.
    public let layer: Int?
    /// True for the input of the head (`output.weight`, or the embeddings where they are tied), which calibration
    /// leaves out unless asked.
    public var isHead: Bool { layer == nil }

    public init(tensors: [String], channels: Int, matrices: Int = 1, layer: Int?) {
        name = tensors.first ?? ""
        self.tensors = tensors
        self.channels = channels
        self.matrices = matrices
        self.layer = layer
    }
}
