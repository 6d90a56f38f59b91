import Synchronization

/// Remembers since when this process has been able to hear heartbeats. A session may only be called dead by somebody
/// who has been listening for as long as it takes one to expire.
final class ReaperWatch: Sendable {
    private struct Watch {
        /// By the database's clock.
        var since: Int64?
        var outages = 0
        var lastRun = ContinuousClock.now
        var lastThorough: ContinuousClock.Instant?
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

    /// How far back, in milliseconds, dead sessions are looked for each time. Every heartbeat leaves an old version of
    /// its session behind, and who looks further passes all that an open transaction keeps.
    static let reach: Int64 = 60_000

    /// Whether it is time to look at everything: for sessions that are dead since whenever, and for items that are held
    /// for too long, which have a quarter of an hour at least. After an outage it always is for a while.
    /// - Parameters:
    ///   - now: by the database's clock, in milliseconds.
    ///   - since: what `listeningSince` said.
    func isThorough(now: Int64, since: Int64, every interval: Duration) -> Bool {
        watch.withLock { watch in
            let present = ContinuousClock.now
            if now - since > 2 * Self.reach, let last = watch.lastThorough, present - last < interval { return false }
            watch.lastThorough = present
            return true
        }
    }
}
