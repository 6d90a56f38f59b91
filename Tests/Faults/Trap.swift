import Synchronization

/// Catches one request and holds it until it is let go.
final class Trap: Sendable {
    private struct State {
        var wanted: (@Sendable (RelayedRequest) -> Bool)?
        var catcher: CheckedContinuation<RelayedRequest?, Never>?
        var held: CheckedContinuation<Void, Never>?
        /// Of a catch that was given up before its continuation was there.
        var isOpen = false
    }
    private let state = Mutex(State())

    /// To be asked about every request.
    func pass(_ request: RelayedRequest) async {
        let catcher = state.withLock { state -> CheckedContinuation<RelayedRequest?, Never>? in
            guard state.wanted?(request) == true else { return nil }
            state.wanted = nil
            defer { state.catcher = nil }
            return state.catcher
        }
        guard let catcher else { return }
        await withCheckedContinuation { continuation in
            state.withLock { $0.held = continuation }
            catcher.resume(returning: request)
        }
    }

    /// Waits for a request that is `wanted`, which then waits for `release`.
    /// - Returns: nil where none came within `limit`.
    func next(within limit: Duration, _ wanted: @escaping @Sendable (RelayedRequest) -> Bool) async -> RelayedRequest? {
        let timer = Task {
            try await Task.sleep(for: limit)
            let waiting = state.withLock { state in
                state.wanted = nil
                defer { state.catcher = nil }
                return state.catcher
            }
            waiting?.resume(returning: nil)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            state.withLock { state in
                state.wanted = wanted
                state.catcher = continuation
            }
        }
    }

    func release() {
        state.withLock { state in
            defer { state.held = nil }
            return state.held
        }?.resume()
    }
}
