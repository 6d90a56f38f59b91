import QuernPlanning

/// Sees what linear layers read.
public protocol ActivationObserver: AnyObject, Sendable {
    /// Whether anything of an input is wanted; asked before anything is computed only for its sake.
    func wants(_ input: LinearInput) -> Bool

    /// What is wanted of it.
    func form(of input: LinearInput) -> ObservedForm

    /// Called once for each input, matrix and chunk that has rows, and for a chunk without rows where one with rows may
    /// come after it, so that nobody waits for it; at the same time only for different chunks, or for
    /// different matrices of one input. The order of chunks depends on the machine: what is summed over chunks has to
    /// be summed in their order afterwards.
    /// - Parameters:
    ///   - input: one of `DecoderGraph.linearInputs`.
    ///   - matrix: expert or head, below `input.matrices`.
    ///   - rows: [n, input.channels], in the order of positions; valid during the call.
    ///   - chunk: index into the chunks given to `Decoder.forward`.
    func observe(_ input: LinearInput, matrix: Int, rows: UnsafeBufferPointer<Float>, chunk: Int)

    /// Called likewise where sums are wanted, after the rows where both are, for chunks that have rows.
    func observe(_ input: LinearInput, matrix: Int, moments: RowMoments, chunk: Int)
}

/// What an observer is given of rows.
public enum ObservedForm: Sendable {
    /// The rows themselves, which the processor has to be given where another engine computes.
    case rows
    /// Sums over them, which every engine makes where the rows are.
    case moments
    case rowsAndMoments
}

extension ActivationObserver {
    public func wants(_ input: LinearInput) -> Bool { true }
    public func form(of input: LinearInput) -> ObservedForm { .rows }
    public func observe(_ input: LinearInput, matrix: Int, moments: RowMoments, chunk: Int) {}
}
