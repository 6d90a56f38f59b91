import Synchronization

/// Times of calls, in milliseconds.
struct Times {
    private var values: [Float] = []

    var count: Int { values.count }

    mutating func add(_ time: Double) { values.append(Float(time)) }
    mutating func add(_ other: Times) { values += other.values }

    /// The time that the given part of all calls did not exceed.
    func quantile(_ part: Double) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        return Double(sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))])
    }
}

/// What was seen in a while.
struct Figures {
    /// Calls that got an item, and accepted completions.
    var claims = Times()
    var completions = Times()
    var errors = 0

    mutating func add(_ other: Figures) {
        claims.add(other.claims)
        completions.add(other.completions)
        errors += other.errors
    }
}

/// Where all simulated workers note what they see.
final class Record: Sendable {
    private let figures = Mutex(Figures())
    private let done = Atomic<Int>(0)

    /// Items done since the beginning.
    var itemsDone: Int { done.load(ordering: .relaxed) }

    func claimed(after time: Duration) { figures.withLock { $0.claims.add(time.seconds * 1000) } }

    func completed(after time: Duration) {
        done.add(1, ordering: .relaxed)
        figures.withLock { $0.completions.add(time.seconds * 1000) }
    }

    func failed() { figures.withLock { $0.errors += 1 } }

    /// What was noted since the last call.
    func take() -> Figures {
        figures.withLock { figures in
            defer { figures = Figures() }
            return figures
        }
    }
}
