import Synchronization

/// Lanes that go from thread to thread, one at a time.
final class LanePool: Sendable {
    private struct Handed: @unchecked Sendable { let lane: any ForwardLane }
    private let free = Mutex<[Handed]>([])
    private let engine: any ForwardEngine

    init(_ engine: any ForwardEngine) { self.engine = engine }

    /// Calls `body` with a lane that nobody else uses meanwhile, and waits for its steps, also where it throws: what they
    /// work on may be gone after that.
    func withLane<Value>(_ body: (any ForwardLane) throws -> Value) throws -> Value {
        let handed = try free.withLock { $0.popLast() } ?? Handed(lane: engine.makeLane())
        let result = Result { try body(handed.lane) }
        try handed.lane.finish()
        free.withLock { $0.append(handed) }
        return try result.get()
    }
}
