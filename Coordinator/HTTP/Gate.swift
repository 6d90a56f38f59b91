import Synchronization

/// Lets at most `width` callers in at once, in the order in which they came: it bounds the memory that large bodies
/// take together.
final class Gate: Sendable {
    private struct State {
        var free: Int
        var next: UInt64 = 0
        var waiting: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
    }
    private let state: Mutex<State>

    init(width: Int) {
        state = Mutex(State(free: width))
    }

    /// Waits to be let in. The place is free again when the permit goes away.
    /// - Throws: `CancellationError`.
    func enter() async throws -> Permit {
        let id = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        let entered = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0).continuation }
            }
            waiting?.resume(returning: false)
        }
        guard entered else { throw CancellationError() }
        return Permit(gate: self)
    }

    fileprivate func leave() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst().continuation }
            state.free += 1
            return nil
        }
        next?.resume(returning: true)
    }

    final class Permit: Sendable {
        private let gate: Gate
        fileprivate init(gate: Gate) { self.gate = gate }
        deinit { gate.leave() }
    }
}
