import Synchronization

/// Wakes everyone who waits, as often as it is rung. Who looks at `count` before looking for work, and then waits for
/// a ring after that count, misses none.
final class Bell: Sendable {
    private struct State {
        var count: UInt64 = 0
        var next: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }
    private let state = Mutex(State())

    /// How often it has rung.
    var count: UInt64 { state.withLock { $0.count } }

    func ring() {
        let waiting = state.withLock { state in
            state.count += 1
            defer { state.waiting.removeAll() }
            return state.waiting.values.map { $0 }
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns once it has rung more than `count` times, after `limit`, or when the task is cancelled.
    func wait(after count: UInt64, upTo limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.ringing(after: count) }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func ringing(after count: UInt64) async {
        let id = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumed = state.withLock { state in
                    // Looked at under the lock, so that neither a ring nor a cancellation falls between.
                    guard state.count == count, !Task.isCancelled else { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if resumed { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
