import Synchronization

/// Remembers since when this process has been able to hear heartbeats. A session may only be called dead by somebody
/// who has been listening for as long as it takes one to expire.
final class ReaperWatch: Sendable {
    private struct Watch {
        /// By the database's clock.
        var since: Int64?
        var outages = 0
        var lastRun = ContinuousClock.now
    }

    private let watch = Mutex(Watch())

    /// The time since which sessions could be heard: `now` at the first run, and again after an outage of the
    /// database or a pause of this process.
    func listeningSince(now: Int64, outages: Int, longestPause: Duration) -> Int64 {
        watch.withLock { watch in
            let present = ContinuousClock.now
            let interrupted = watch.outages != outages || present - watch.lastRun > longestPause
            watch.lastRun = present
            watch.outages = outages
            if let since = watch.since, !interrupted { return since }
            watch.since = now
            return now
        }
    }
}
