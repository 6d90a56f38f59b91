import Dispatch
import Foundation
import QuernFormats
import Synchronization

/// A fixed number of threads for work that blocks or computes, kept off Swift's cooperative pool so that timers and
/// heartbeats always run. Work starts in the order in which it was handed in. Threads end when the pool goes.
public final class ThreadPool: Sendable {
    private let shared: Shared

    private final class Shared: Sendable {
        struct State {
            var queue: [@Sendable () -> Void] = []
            var head = 0
        }
        let state = Mutex(State())
        let available = DispatchSemaphore(value: 0)

        /// The next piece of work; nil where the pool has gone.
        func next() -> (@Sendable () -> Void)? {
            available.wait()
            return state.withLock { state in
                guard state.head < state.queue.count else { return nil }
                let work = state.queue[state.head]
                state.head += 1
                if state.head == state.queue.count {
                    state.queue.removeAll(keepingCapacity: true)
                    state.head = 0
                }
                return work
            }
        }
    }

    private let threads: Int

    /// - Parameter threads: at least 1.
    public init(name: String, threads: Int) {
        let shared = Shared()
        self.shared = shared
        self.threads = max(1, threads)
        for index in 0..<self.threads {
            let thread = Thread {
                while let work = shared.next() { work() }
            }
            thread.name = "\(name)-\(index)"
            thread.start()
        }
    }

    deinit {
        for _ in 0..<threads { shared.available.signal() }
    }

    /// Hands in work; it runs later on one of the threads.
    public func submit(_ work: @escaping @Sendable () -> Void) {
        shared.state.withLock { $0.queue.append(work) }
        shared.available.signal()
    }

    /// Runs `work` on one of the threads and waits for its result without blocking the caller's thread.
    public func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Result(catching: work)) }
        }
    }
}

/// Waits, on a thread that may block, for an asynchronous call to finish. Never to be called on the cooperative pool.
public func blocking<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
    let outcome = Outcome<Value>()
    let finished = DispatchSemaphore(value: 0)
    Task.detached {
        do {
            let value = try await work()
            outcome.result.withLock { $0 = .success(value) }
        } catch {
            outcome.result.withLock { $0 = .failure(error) }
        }
        finished.signal()
    }
    finished.wait()
    guard let result = outcome.result.withLock({ $0 }) else {
        throw QuernError(.internalFault, "an asynchronous call ended without a result")
    }
    return try result.get()
}

private final class Outcome<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
}
