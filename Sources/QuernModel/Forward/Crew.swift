import Dispatch
import Foundation

/// Threads that share pieces of work, while the calling thread watches.
///
/// Pieces must not depend on each other, nor on which thread does them; then results depend on the pieces alone.
final class Crew: Sendable {
    let threads: Int
    let engine: any ForwardEngine
    private let lanes: LanePool
    /// For values of the processor.
    let buffers = BufferPool()

    /// - Parameter engine: whose lanes the threads have.
    init(threads: Int, engine: any ForwardEngine) {
        self.threads = max(1, threads)
        self.engine = engine
        lanes = LanePool(engine)
    }

    /// Calls `body` with a lane on the calling thread, and waits for its steps.
    func withLane<Value>(_ body: (any ForwardLane) throws -> Value) throws -> Value { try lanes.withLane(body) }

    /// Products of matrices take more stack than a thread has by default.
    private static let stackBytes = 8 << 20
    private static let tickSeconds = 0.2

    private struct State {
        var next = 0
        var done = 0
        var running = 0
        var failure: (any Error)?
    }

    /// Calls `body` with 0 ..< count, each once. The first error, of `body` or of `tick`, ends the rest and is thrown.
    /// - Parameter tick: told the share that is done, in [0, 1], several times a second on the calling thread.
    func forEach(
        _ count: Int, tick: (Double) throws -> Void, _ body: @escaping @Sendable (Int, any ForwardLane) throws -> Void
    ) throws {
        guard count > 0 else { return }
        let board = Board(count: count, body)
        defer { board.forget() }
        for _ in 0..<min(threads, count) { board.start { self.work(board) } }
        while !board.wait(seconds: Self.tickSeconds) {
            do { try tick(board.share) } catch { board.fail(error) }
        }
        if let failure = board.failure { throw failure }
        try tick(1)
    }

    private func work(_ board: Board) {
        while let (index, body) = board.next() {
            do {
                try lanes.withLane { try body(index, $0) }
                board.finish()
            } catch { board.fail(error) }
        }
    }

    private typealias Body = @Sendable (Int, any ForwardLane) throws -> Void

    /// Which pieces are taken and done.
    private final class Board: @unchecked Sendable {
        private let condition = NSCondition()
        private let count: Int
        private var body: Body?
        private var state = State()

        init(count: Int, _ body: @escaping Body) {
            self.count = count
            self.body = body
        }

        /// Lets go of what the work needed: a thread may hold on to the board for a while after its last piece, and the
        /// next work wants the memory.
        func forget() { condition.withLock { body = nil } }

        func start(_ work: @escaping @Sendable () -> Void) {
            condition.withLock { state.running += 1 }
            let thread = Thread { [self] in
                work()
                condition.withLock {
                    state.running -= 1
                    condition.signal()
                }
            }
            thread.stackSize = Crew.stackBytes
            thread.name = "forward"
            thread.start()
        }

        func next() -> (index: Int, body: Body)? {
            condition.withLock {
                guard let body, state.failure == nil, state.next < count else { return nil }
                state.next += 1
                return (state.next - 1, body)
            }
        }

        func finish() { condition.withLock { state.done += 1 } }

        func fail(_ error: any Error) {
            condition.withLock { if state.failure == nil { state.failure = error } }
        }

        var failure: (any Error)? { condition.withLock { state.failure } }
        var share: Double { condition.withLock { Double(state.done) / Double(count) } }

        /// - Returns: whether all threads have ended.
        func wait(seconds: Double) -> Bool {
            let end = Date(timeIntervalSinceNow: seconds)
            return condition.withLock {
                while state.running > 0 {
                    if !condition.wait(until: end) { return state.running == 0 }
                }
                return true
            }
        }
    }
}
