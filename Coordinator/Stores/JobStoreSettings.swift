import QuernJobs

/// What an operator may want to set, and what tests must be able to hold still.
public struct JobStoreSettings: Sendable {
    public var retry: RetryPolicy
    /// Items with more dependencies than this are not counted down by each of them but made ready by `resolve()`.
    public var largestCountedFanIn: Int
    /// How long an item may be held at most, in milliseconds: this, and a while more for each byte of its cost.
    public var shortestDeadline: Int64
    public var slowestBytesPerSecond: Int64
    /// A node on which this many different items failed in a row, none of them done in between, gets no more for
    /// `nodeRest` milliseconds, as long as there are workers on other nodes.
    public var suspiciousItems: Int
    public var nodeRest: Int64
    /// A reaper that has not run for this long cannot know who is alive and waits for one expiry.
    public var longestReaperPause: Duration
    /// How often everything is looked at in search of the dead and the forgotten, and not only what may have happened
    /// since that was last done.
    public var thoroughInterval: Duration
    /// How long claims go by what they remember: what jobs have had of the workers' time until that is written down,
    /// and how far they are among the ready items of a job until they look from the front again.
    public var claimMemory: Duration
    /// SQL for milliseconds since 1970 in place of the database's clock; for tests.
    public var clock: String?

    public init(
        retry: RetryPolicy = RetryPolicy(), largestCountedFanIn: Int = 64, shortestDeadline: Int64 = 900_000,
        slowestBytesPerSecond: Int64 = 262_144, suspiciousItems: Int = 5, nodeRest: Int64 = 600_000,
        longestReaperPause: Duration = .seconds(30), thoroughInterval: Duration = .seconds(300),
        claimMemory: Duration = .seconds(1), clock: String? = nil
    ) {
        self.retry = retry
        self.largestCountedFanIn = largestCountedFanIn
        self.shortestDeadline = shortestDeadline
        self.slowestBytesPerSecond = slowestBytesPerSecond
        self.suspiciousItems = suspiciousItems
        self.nodeRest = nodeRest
        self.longestReaperPause = longestReaperPause
        self.thoroughInterval = thoroughInterval
        self.claimMemory = claimMemory
        self.clock = clock
    }
}
