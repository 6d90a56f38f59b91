import QuernFormats
import QuernPlanning

/// The forward pass of a model, layer by layer: the weights of one layer at a time are read from the source, decoded
/// and multiplied with every chunk. Results do not depend on the number of threads.
///
/// Blocking: not for Swift's cooperative pool. One call at a time.
public final class Decoder {
    public let graph: DecoderGraph
    private let threads: Int

    /// Reads no weights.
    /// - Parameter threads: at least 1.
    /// - Throws: `QuernError` `.unsupported` for an architecture without a known forward pass, `.invalidInput` where
    ///   tensors or keys contradict it.
    public init(model: SourceModel, threads: Int) throws {
        graph = try DecoderGraph.of(model)
        self.threads = threads
    }

    /// Runs chunks through all layers, each chunk by itself from position 0.
    /// - Parameters:
    ///   - chunks: token ids, each from 0 to below the vocabulary; no chunk is empty. They may differ in length.
    ///   - progress: told the share that is done, in [0, 1], several times a second from the calling thread; what it
    ///     throws ends the work and is thrown.
    public func forward(
        chunks: [[Int32]], observer: (any ActivationObserver)? = nil, progress: (Double) throws -> Void
    ) throws -> HiddenStates {
        throw QuernError(.unsupported, "the forward pass is not here yet")
    }

    /// Logits of some positions, for a next token each.
    /// - Parameters:
    ///   - rows: positions of `chunk`. The head is decoded once for each call: the more rows the better.
    ///   - output: receives [rows.count, vocabularySize].
    public func logits(
        of states: HiddenStates, chunk: Int, rows: Range<Int>, into output: UnsafeMutableBufferPointer<Float>,
        progress: (Double) throws -> Void
    ) throws {
        throw QuernError(.unsupported, "the forward pass is not here yet")
    }
}
