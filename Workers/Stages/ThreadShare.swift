import Synchronization

/// Divides threads among items that could each use all of them, by how many are in work.
final class ThreadShare: Sendable {
    private let active = Atomic(0)

    /// Calls `body` with its share of `threads`, at least 1. The share stays what it was when the item began.
    func withThreads<Value>(of threads: Int, _ body: (Int) throws -> Value) rethrows -> Value {
        let count = active.wrappingAdd(1, ordering: .relaxed).newValue
        defer { active.wrappingSubtract(1, ordering: .relaxed) }
        return try body(max(1, threads / count))
    }
}
