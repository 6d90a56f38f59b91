import QuernFormats
import QuernStore

/// What a worker asks of a coordinator, in the same process or over HTTP.
///
/// Every call may throw `QuernError` `.unavailable`, after which the caller tries again; all calls are safe to repeat.
public protocol WorkerService: Sendable {
    func openSession(_ request: SessionRequest) async throws -> SessionGrant
    /// - Throws: `.notFound` where the session has expired: its leases are gone, a new one must be opened.
    func heartbeat(_ session: SessionID, _ report: HeartbeatReport) async throws -> HeartbeatReply
    /// Ends a session; what it still holds goes back at once.
    func closeSession(_ session: SessionID) async throws

    /// Up to `limit` items; waits up to `wait` for the first.
    func claim(_ session: SessionID, limit: Int, wait: Duration) async throws -> [Claim]
    /// Hands in a result. Repeating it with the same result succeeds.
    /// - Throws: `.conflict` where the lease was lost.
    func complete(_ lease: Lease, _ completion: Completion) async throws
    /// - Throws: `.conflict` where the lease was lost.
    func fail(_ lease: Lease, _ failure: WorkFailure) async throws
    /// Gives an item back undone, not counted against it.
    func release(_ lease: Lease) async throws

    /// Parts known under input hashes; unknown ones are left out of the answer.
    func lookUp(_ keys: [Digest]) async throws -> [Digest: Part]

    /// What the item of a lease may reach.
    /// - Parameter blobs: the worker's blob store.
    func access(under lease: Lease, to blobs: any BlobStore) -> WorkAccess
}

extension WorkerService {
    /// All blobs, and all that can be looked up.
    public func access(under lease: Lease, to blobs: any BlobStore) -> WorkAccess {
        WorkAccess(blobs: blobs) { try await lookUp($0) }
    }
}

/// Blobs and look-ups as one work item has them.
public struct WorkAccess: Sendable {
    public let blobs: any BlobStore
    public let lookUp: @Sendable ([Digest]) async throws -> [Digest: Part]
    public init(
        blobs: any BlobStore, lookUp: @escaping @Sendable ([Digest]) async throws -> [Digest: Part]
    ) {
        self.blobs = blobs
        self.lookUp = lookUp
    }
}

public struct SessionRequest: Sendable, Codable {
    /// Which machine the worker runs on: only for the audit trail and for quarantine, never in an artifact.
    public let node: String
    public let slots: Int
    /// Bytes of memory the worker may use for items.
    public let memory: Int64
    /// The stages it can run.
    public let stages: [Stage]
    /// What it can compute models with; nil for the processor.
    public let forward: [ForwardDevice]?
    public init(node: String, slots: Int, memory: Int64, stages: [Stage], forward: [ForwardDevice]? = nil) {
        self.forward = forward
        self.node = node
        self.slots = slots
        self.memory = memory
        self.stages = stages
    }
}

extension SessionRequest {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            node: try container.decode(String.self, forKey: .node),
            slots: try container.decode(Int.self, forKey: .slots),
            memory: try container.decode(Int64.self, forKey: .memory),
            stages: try container.decode([Stage].self, forKey: .stages),
            // Missing, or a list: null is neither.
            forward: container.contains(.forward)
                ? try container.decode([ForwardDevice].self, forKey: .forward) : nil)
    }
}

public struct SessionGrant: Sendable, Codable {
    public let session: SessionID
    /// Seconds between heartbeats, and seconds without one after which the session is dead. Durations, never
    /// dates: the worker measures them on its own monotonic clock from when it sent the request.
    public let heartbeatSeconds: Double
    public let expirySeconds: Double
    public init(session: SessionID, heartbeatSeconds: Double, expirySeconds: Double) {
        self.session = session
        self.heartbeatSeconds = heartbeatSeconds
        self.expirySeconds = expirySeconds
    }
}

public struct HeartbeatReport: Sendable, Codable {
    public struct Progress: Sendable, Codable {
        public let lease: Lease
        /// In [0, 1].
        public let fraction: Double
        public init(lease: Lease, fraction: Double) {
            self.lease = lease
            self.fraction = fraction
        }
    }
    public let leases: [Progress]
    public init(leases: [Progress]) { self.leases = leases }
}

public struct HeartbeatReply: Sendable, Codable {
    /// Leases of the report that no longer hold: cancelled, or taken away. Their work is to be dropped.
    public let lost: [Lease]
    public init(lost: [Lease]) { self.lost = lost }
}

/// A leased item with all it needs.
public struct Claim: Sendable, Codable {
    public let lease: Lease
    public let payload: WorkPayload
    /// Counted from 1.
    public let attempt: Int
    /// Results of the items this one depends on, by ordinal.
    public let inputs: [Int: WorkResult]
    public init(lease: Lease, payload: WorkPayload, attempt: Int, inputs: [Int: WorkResult]) {
        self.lease = lease
        self.payload = payload
        self.attempt = attempt
        self.inputs = inputs
    }

    /// The same with another token of its lease.
    public func showing(_ token: String?) -> Claim {
        Claim(lease: lease.showing(token), payload: payload, attempt: attempt, inputs: inputs)
    }
}

public struct Completion: Sendable, Codable, Equatable {
    public struct CacheEntry: Sendable, Codable, Equatable {
        public let key: Digest
        public let part: Part
        public init(key: Digest, part: Part) {
            self.key = key
            self.part = part
        }
    }
    public let result: WorkResult
    /// What others may take over instead of computing it again.
    public let cache: [CacheEntry]
    public init(result: WorkResult, cache: [CacheEntry] = []) {
        self.result = result
        self.cache = cache
    }
}

/// Why an item was not done; the class decides what happens to it next.
public struct WorkFailure: Sendable, Codable, Equatable {
    public enum Class: String, Sendable, Codable, CaseIterable {
        /// May go away by itself: tried again after a while.
        case transient
        /// Tried again where more memory is.
        case outOfMemory
        /// No space on some disk: never counted against the item.
        case outOfSpace
        /// The worker is being taken away: never counted against the item.
        case preempted
        /// The same everywhere and always: fails the job.
        case permanent
        /// An input blob is missing or damaged: the items that made it are done again.
        case lostInput
    }
    public let `class`: Class
    /// For people: what, where, what to do.
    public let message: String
    /// With `.lostInput`: the blobs.
    public let blobs: [Digest]
    public init(class: Class, message: String, blobs: [Digest] = []) {
        self.class = `class`
        self.message = message
        self.blobs = blobs
    }
}
