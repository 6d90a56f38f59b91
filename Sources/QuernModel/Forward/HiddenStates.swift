/// What the head reads, for every position of some chunks: the residual stream after the last norm.
public struct HiddenStates: Sendable {
    public let hiddenSize: Int
    /// For each chunk [positions, hiddenSize].
    public let chunks: [[Float]]

    /// Positions of a chunk.
    public func positions(of chunk: Int) -> Int { chunks[chunk].count / hiddenSize }
}
