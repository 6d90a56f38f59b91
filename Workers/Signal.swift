import Synchronization

/// Something that happens once and that any number of tasks can wait for.
final class Signal: Sendable {
    private struct State {
        var fired = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }
    private let state = Mutex(State())

    var isFired: Bool { state.withLock { $0.fired } }

    func fire() {
        let waiters = state.withLock { state in
            state.fired = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns when the signal fires, or when the current task is cancelled.
    func wait() async {
        let ticket = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    guard !state.fired, !Task.isCancelled else { return true }
                    state.waiters[ticket] = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }

    /// Waits for the signal, but no longer than `duration`.
    /// - Returns: whether it has fired.
    @discardableResult
    func wait(atMost duration: Duration) async -> Bool {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await Task.sleep(for: duration) }
            await group.next()
            group.cancelAll()
        }
        return isFired
    }

    /// Runs `operation`, giving up on it when the signal fires.
    /// - Returns: nil where the signal fired first; the operation is cancelled then, and its end not waited for.
    func racing<Value: Sendable>(_ operation: @escaping @Sendable () async throws -> Value) async throws -> Value? {
        let result = Mutexed<Result<Value, any Error>?>(nil)
        let over = Signal()
        let running = Task {
            do {
                let value = try await operation()
                result.set(.success(value))
            } catch {
                result.set(.failure(error))
            }
            over.fire()
        }
        let watching = Task {
            await self.wait()
            over.fire()
        }
        await over.wait()
        watching.cancel()
        guard let outcome = result.get() else {
            running.cancel()
            return nil
        }
        return try outcome.get()
    }
}

/// A value behind a lock, for sharing with a closure.
final class Mutexed<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
    func set(_ value: Value) { mutex.withLock { $0 = value } }
    func get() -> Value { mutex.withLock { $0 } }
    func mutate<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        mutex.withLock { value in body(&value) }
    }
}
