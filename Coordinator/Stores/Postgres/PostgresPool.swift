import Foundation
import QuernFormats
import Synchronization

/// A few threads, each with a connection of its own, that take transactions from one queue. libpq blocks, so nothing
/// of it ever runs on Swift's own threads.
final class PostgresPool: Sendable {
    private let queue = WorkQueue()
    private let lost: Outages

    init(url: String, connections: Int) {
        lost = Outages()
        for index in 0..<connections {
            let thread = Thread { [queue, lost] in
                let seat = PostgresSeat(url: url, outages: lost)
                while let work = queue.next() { work(seat) }
            }
            thread.name = "quern-postgres-\(index)"
            thread.start()
        }
    }

    deinit { queue.close() }

    var outages: Int { lost.count }

    func run<T: Sendable>(_ work: @escaping @Sendable (PostgresSeat) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.add { seat in continuation.resume(with: Result { try work(seat) }) }
        }
    }
}

/// How often the server went away. That several connections notice the same outage, some of them late, counts once.
final class Outages: Sendable {
    private let counter = Atomic<Int>(0)
    var count: Int { counter.load(ordering: .relaxed) }

    /// - Parameter earlier: the count when the connection was made that is lost now.
    func add(since earlier: Int) {
        _ = counter.compareExchange(expected: earlier, desired: earlier + 1, ordering: .relaxed)
    }
}

/// Work for threads that wait for it. Unchecked because the condition guards what the compiler cannot see it guard.
private final class WorkQueue: @unchecked Sendable {
    private let condition = NSCondition()
    private var waiting: [@Sendable (PostgresSeat) -> Void] = []
    private var taken = 0
    private var isClosed = false

    func add(_ work: @escaping @Sendable (PostgresSeat) -> Void) {
        condition.lock()
        waiting.append(work)
        condition.signal()
        condition.unlock()
    }

    /// Waits for work; nil once the queue is closed and empty.
    func next() -> (@Sendable (PostgresSeat) -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        while taken == waiting.count {
            if isClosed { return nil }
            condition.wait()
        }
        let work = waiting[taken]
        taken += 1
        if taken == waiting.count || taken > 1_000 {
            waiting.removeFirst(taken)
            taken = 0
        }
        return work
    }

    func close() {
        condition.lock()
        isClosed = true
        condition.broadcast()
        condition.unlock()
    }
}

/// One thread's connection, made when it is needed and made again when it was lost.
final class PostgresSeat {
    private let url: String
    private let outages: Outages
    private var link: PostgresLink?
    /// Outages that were known when `link` was made.
    private var outagesBefore = 0
    /// False behind a pooler that does not carry prepared statements along.
    private var prepares = true

    private static let mostRepeats = 8

    init(url: String, outages: Outages) {
        self.url = url
        self.outages = outages
    }

    /// Runs `body` between `begin` and a commit, again where the server could not bring it into line with others.
    func transaction<T>(_ begin: String, _ body: (any SQLConnection) throws -> T) throws -> T {
        var repeats = 0
        while true {
            do {
                return try once(begin, body)
            } catch let failure as PostgresFailure {
                if failure.connectionLost {
                    link = nil
                    outages.add(since: outagesBefore)
                }
                if failure.isOfPreparedStatement, prepares {
                    prepares = false
                    link = nil
                    continue
                }
                repeats += 1
                guard failure.mayPassWhenRepeated, repeats <= Self.mostRepeats else { throw failure.error }
                Thread.sleep(forTimeInterval: .random(in: 0...0.005) * Double(1 << repeats))
            }
        }
    }

    private func once<T>(_ begin: String, _ body: (any SQLConnection) throws -> T) throws -> T {
        let link = try started(begin)
        do {
            let value = try body(link)
            try link.script("COMMIT")
            return value
        } catch {
            if link.handle.isUsable {
                try link.script("ROLLBACK")
            } else if !(error is PostgresFailure) {
                self.link = nil
            }
            throw error
        }
    }

    /// A connection on which `begin` went well. An old one that turns out to be dead is replaced: nothing has been
    /// done on it yet.
    private func started(_ begin: String) throws -> PostgresLink {
        if let link {
            do {
                try link.script(begin)
                return link
            } catch let failure as PostgresFailure where failure.connectionLost {
                self.link = nil
                outages.add(since: outagesBefore)
            }
        }
        outagesBefore = outages.count
        let fresh = try PostgresLink(url: url, prepares: prepares)
        try fresh.script(begin)
        link = fresh
        return fresh
    }
}
