import QuernPlanning

/// Sees what linear layers read.
public protocol ActivationObserver: AnyObject, Sendable {
    /// Whether the rows of an input are wanted; asked before anything is computed only for its sake.
    func wants(_ input: LinearInput) -> Bool

    /// Called once for each input, matrix and chunk that has rows, and for a chunk without rows where one with rows may
    /// come after it, so that nobody waits for it; at the same time only for different chunks, or for
    /// different matrices of one input. The order of chunks depends on the machine: what is summed over chunks has to
    /// be summed in their order afterwards.
    /// - Parameters:
    ///   - input: one of `DecoderGraph.linearInputs`.
    ///   - matrix: expert or head, below `input.matrices`.
    ///   - rows: in the order of positions; valid during the call.
    ///   - chunk: index into the chunks given to `Decoder.forward`.
    /// - Throws: what ends the pass.
    func observe(_ input: LinearInput, matrix: Int, rows: ObservedRows, chunk: Int) throws
}

extension ActivationObserver {
    public func wants(_ input: LinearInput) -> Bool { true }
}

/// Rows that a linear layer reads, where they were computed.
public struct ObservedRows {
    /// [count, channels] without gaps, in the memory of the lane's engine.
    package let values: UnsafeMutablePointer<Float>
    /// May be 0.
    public let count: Int
    public let channels: Int
    package let lane: any ForwardLane

    package init(_ values: UnsafeMutablePointer<Float>, count: Int, channels: Int, lane: any ForwardLane) {
        (self.values, self.count, self.channels, self.lane) = (values, count, channels, lane)
    }

    /// Lends the rows to the processor, [count, channels], valid during the call.
    public func withValues<Value>(_ body: (UnsafeBufferPointer<Float>) throws -> Value) throws -> Value {
        try lane.read(values, count: count * channels, body)
    }

    /// Sums over the rows, which are made where they are.
    public func moments() throws -> RowMoments { try lane.moments(values, width: channels, count: count) }
}
