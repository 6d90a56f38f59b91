import QuernFormats
import QuernModel

/// What computes forward passes: the processor, or cards.
///
/// Their last digits are different, and so may be what is chosen and encoded by them. So nothing is computed elsewhere
/// than was asked for, and where that fails the work is given back.
package protocol ForwardEngines: Sendable {
    /// Why nothing can be computed here; nil where it can.
    var forwardObstacle: QuernError? { get }

    /// Calls `body` with an engine. Where that fails without the work's fault, as a card does that is lost, it calls it
    /// once more with another that gives the same bits.
    /// - Throws: `ForwardLoss` where there is none any more, `QuernError` `.outOfMemory`, and what `body` throws.
    func withForwardEngine<Value>(_ body: (any ForwardEngine) throws -> Value) throws -> Value
}

/// What computed forward passes here does not any more.
package struct ForwardLoss: Error {
    /// Why, for the user.
    package let error: QuernError
}

extension ProcessorEngine: ForwardEngines {
    package var forwardObstacle: QuernError? { MatrixEngine.obstacle }

    package func withForwardEngine<Value>(_ body: (any ForwardEngine) throws -> Value) throws -> Value {
        try body(MatrixEngine())
    }
}

/// What a worker computes with.
package typealias ComputeEngine = EncodingEngine & WeightEngine & ForwardEngines
