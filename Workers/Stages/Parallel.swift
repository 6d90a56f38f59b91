import Dispatch
import Foundation
import Synchronization

/// Runs a few pieces of blocking work side by side, on threads of their own.
enum Parallel {
    /// Calls `body` with 0 ..< count, each once, from up to `threads` threads of which the caller's is one. The first
    /// error ends the rest and is thrown.
    static func forEach(
        _ count: Int, threads: Int, _ body: @escaping @Sendable (Int) throws -> Void
    ) throws {
        let next = Counter()
        let failure = Mutexed<(any Error)?>(nil)
        let work: @Sendable () -> Void = {
            while failure.get() == nil {
                let index = next.advance()
                guard index < count else { return }
                do { try body(index) } catch { failure.mutate { if $0 == nil { $0 = error } } }
            }
        }
        let group = DispatchGroup()
        for _ in 1..<max(1, min(threads, count)) {
            group.enter()
            let thread = Thread {
                work()
                group.leave()
            }
            thread.name = "stage"
            thread.start()
        }
        work()
        group.wait()
        if let error = failure.get() { throw error }
    }

    /// Begins `work` on a thread of its own.
    /// - Returns: waits for its end, and throws what it threw.
    static func begin(_ work: @escaping @Sendable () throws -> Void) -> @Sendable () throws -> Void {
        let failure = Mutexed<(any Error)?>(nil)
        let group = DispatchGroup()
        group.enter()
        let thread = Thread {
            do { try work() } catch { failure.set(error) }
            group.leave()
        }
        thread.name = "stage"
        thread.start()
        return {
            group.wait()
            if let error = failure.get() { throw error }
        }
    }

    private final class Counter: Sendable {
        private let value = Atomic(0)
        func advance() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
    }
}
