/// How often an item is tried, how long it rests between tries, and when it is taken out of circulation.
public struct RetryPolicy: Sendable, Equatable {
    /// Counted failures (transient, out of memory) after which an item has failed.
    public var maximumFailures: Int
    /// Preemptions and full disks are not counted as failures, but there is an end to them too.
    public var maximumInterruptions: Int
    /// Whether items wait for space on a full disk. Where one person waits for one job, it is better told at once.
    public var awaitsSpace: Bool
    /// Times an item may ask for its inputs to be made again.
    public var maximumRewinds: Int
    /// Lost leases after which an item is quarantined wherever they were lost.
    public var maximumLosses: Int
    /// Lost leases after which an item is quarantined if they were lost on `suspiciousNodes` nodes.
    public var suspiciousLosses: Int
    /// On how many nodes losses, or the same error, must have been seen to be blamed on the item.
    public var suspiciousNodes: Int
    /// Milliseconds before the first retry; doubled for each one after it.
    public var firstDelay: Int64
    /// The longest rest in milliseconds, before jitter.
    public var longestDelay: Int64
    /// Decides the jitter, so that a run can be repeated.
    public var seed: UInt64

    public init(
        maximumFailures: Int = 5, maximumInterruptions: Int = 100, awaitsSpace: Bool = true, maximumRewinds: Int = 10,
        maximumLosses: Int = 10, suspiciousLosses: Int = 3, suspiciousNodes: Int = 2, firstDelay: Int64 = 2_000,
        longestDelay: Int64 = 300_000,
        seed: UInt64 = .random(in: .min ... .max)
    ) {
        self.maximumFailures = maximumFailures
        self.maximumInterruptions = maximumInterruptions
        self.awaitsSpace = awaitsSpace
        self.maximumRewinds = maximumRewinds
        self.maximumLosses = maximumLosses
        self.suspiciousLosses = suspiciousLosses
        self.suspiciousNodes = suspiciousNodes
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.seed = seed
    }

    /// Milliseconds to rest after failure number `failures` (from 1): the first delay doubled each time up to the
    /// longest, times a jitter in [0.5, 1.5) that depends on nothing but the seed, the item and the attempt.
    public func delay(failures: Int, item: WorkItemID, attempt: Int) -> Int64 {
        let doublings = min(max(failures - 1, 0), 40)
        let base = Swift.min(Double(firstDelay) * Double(UInt64(1) << UInt64(doublings)), Double(longestDelay))
        return Int64(base * (0.5 + jitter(item, attempt)))
    }

    /// In [0, 1): FNV-1a over the item's name, finished with the mixer of SplitMix64.
    private func jitter(_ item: WorkItemID, _ attempt: Int) -> Double {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
        for byte in "\(item.job)/\(item.ordinal)/\(attempt)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        hash ^= hash >> 31
        return Double(hash >> 11) / Double(UInt64(1) << 53)
    }
}
