import QuernJobs
import Synchronization

/// What jobs have been given since that was last written down. Claims charge the same few rows again and again, and
/// each change leaves a version behind that an open transaction of somebody else keeps: so they are written together,
/// once in an interval. What a crash takes of it costs nothing but a moment of fairness.
final class ShareLedger: Sendable {
    private struct State {
        var pending: [JobID: Int64] = [:]
        var written = ContinuousClock.now
    }
    private let state = Mutex(State())
    private let interval: Duration

    init(interval: Duration) { self.interval = interval }

    /// Costs that are not in the database yet.
    var pending: [JobID: Int64] { state.withLock { $0.pending } }

    /// What to write along with `costs`; nil where there is time.
    func due(with costs: [JobID: Int64]) -> [JobID: Int64]? {
        state.withLock { state in
            guard ContinuousClock.now - state.written >= interval else { return nil }
            return state.pending.merging(costs, uniquingKeysWith: +)
        }
    }

    /// Notes `costs` once their claims are in the database.
    /// - Parameter written: whether all that was due is there, too.
    func note(_ costs: [JobID: Int64], written: Bool) {
        state.withLock { state in
            if written {
                state = State()
            } else {
                state.pending.merge(costs, uniquingKeysWith: +)
            }
        }
    }
}
