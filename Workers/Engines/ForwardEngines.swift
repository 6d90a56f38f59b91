import QuernModel

/// What computes forward passes: the processor, or cards.
package protocol ForwardEngines: Sendable {
    /// Calls `body` with an engine. Where that fails without the work's fault, as a card does that is full or lost, it calls
    /// it once more, with another.
    func withForwardEngine<Value>(_ body: (any ForwardEngine) throws -> Value) throws -> Value
}

extension ProcessorEngine: ForwardEngines {
    package func withForwardEngine<Value>(_ body: (any ForwardEngine) throws -> Value) throws -> Value {
        try body(MatrixEngine())
    }
}

/// What a worker computes with.
package typealias ComputeEngine = EncodingEngine & ForwardEngines
