import QuernFormats
import QuernJobs
import QuernModel

/// What computes forward passes: the processor, or cards.
///
/// Their last digits are different, and so may be what is chosen and encoded by them. So nothing is computed elsewhere
/// than was asked for, and where that fails the work is given back.
package protocol ForwardEngines: Sendable {
    /// Why nothing can be computed with a device here; nil where it can.
    func forwardObstacle(on device: ForwardDevice) -> QuernError?

    /// Calls `body` with an engine of a device that has no obstacle. Where that fails without the work's fault, as a card
    /// does that is lost, it calls it once more with another that gives the same bits.
    /// - Throws: `ForwardLoss` where there is none any more, `QuernError` `.outOfMemory`, and what `body` throws.
    func withForwardEngine<Value>(
        on device: ForwardDevice, _ body: (any ForwardEngine) throws -> Value
    ) throws -> Value
}

extension ForwardEngines {
    /// What models can be computed with.
    package var forwardDevices: [ForwardDevice] { ForwardDevice.allCases.filter { forwardObstacle(on: $0) == nil } }
}

/// What computed forward passes here does not any more.
package struct ForwardLoss: Error {
    /// Why, for the user.
    package let error: QuernError
}

extension ProcessorEngine: ForwardEngines {
    package func forwardObstacle(on device: ForwardDevice) -> QuernError? {
        device == .cpu ? MatrixEngine.obstacle : noCards
    }

    package func withForwardEngine<Value>(
        on device: ForwardDevice, _ body: (any ForwardEngine) throws -> Value
    ) throws -> Value {
        if let obstacle = forwardObstacle(on: device) { throw obstacle }
        return try body(MatrixEngine())
    }

    private var noCards: QuernError {
        QuernError(
            .unsupported, "no cards are there to compute models", at: "forward: cuda",
            remedy: "Start a worker with --forward cuda on a machine with an NVIDIA card")
    }
}

/// What a worker computes with.
package typealias ComputeEngine = EncodingEngine & WeightEngine & ForwardEngines
