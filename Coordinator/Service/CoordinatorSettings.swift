import QuernFormats
import QuernJobs

/// Hosts that a coordinator opens for whoever submits a job.
public enum SourceHosts: Sendable, Equatable {
    /// For a coordinator that nobody else can reach: whatever its user names.
    case any
    /// Those of its own settings, and none that a URL chooses.
    case usual
    /// These: `HOST`, or `HOST:PORT` where the port is not the usual one.
    case listed([String])
}

/// How a coordinator behaves.
public struct CoordinatorSettings: Sendable {
    /// What workers are told: how often to send a heartbeat, and after how long without one they count as dead.
    public var heartbeat: Duration = .seconds(10)
    public var expiry: Duration = .seconds(45)
    /// The longest that a claim waits.
    public var longPoll: Duration = .seconds(25)
    /// How often a waiting claim looks for work that no wake-up announced, and leader duties are done.
    public var tick: Duration = .seconds(1)
    /// For how long leadership is taken; renewed three times within.
    public var term: Duration = .seconds(15)
    /// Part of a disk in use, in [0, 1], from which on uploads are refused, and from which on no work is handed out.
    public var uploadLimit = 0.85
    public var claimLimit = 0.95
    /// Folders that sources and importance matrices may lie in; nil for any, unless hosts are listed.
    public var sourceRoots: [String]?
    /// Hosts that sources may be read from by URL; none, where folders are named and hosts are not.
    public var sourceHosts = SourceHosts.usual
    /// Whether workers fetch and store blobs where these lie, if the store allows it.
    public var directBlobs = true

    /// Nil where blobs stay for ever.
    public var collection: Collection? = Collection()

    /// How long a job has been over when its rows move to history; nil where they stay. On PostgreSQL longer than a
    /// statement may take, which is two minutes.
    public var historyAge: Duration? = .seconds(3600)

    /// How blobs go that nothing needs any more.
    public struct Collection: Sendable {
        public var retention = BlobRetention(parts: .seconds(7 * 86_400), grace: .seconds(86_400))
        /// What holds while the disk is too full for uploads.
        public var retentionInNeed = BlobRetention(parts: .zero, grace: .zero)
        /// From one collection to the next; and to the next that looks for blobs that nobody knows of.
        public var interval: Duration = .seconds(3600)
        public var searchInterval: Duration = .seconds(86_400)

        public init() {}
    }

    public init() {}

    /// For a coordinator and its worker in one process: no network delays a heartbeat, and what an earlier process
    /// held when it was killed is wanted back soon. A disk is used to its end: nobody else is kept waiting by that, and
    /// the one who waits is told when it is full. Blobs and rows go with the state they belong to.
    public static var inProcess: CoordinatorSettings {
        var settings = CoordinatorSettings()
        settings.historyAge = nil
        settings.heartbeat = .seconds(2)
        settings.expiry = .seconds(10)
        settings.claimLimit = .infinity
        settings.collection = nil
        settings.sourceHosts = .any
        return settings
    }
}
