import QuernFormats
import QuernStore

/// Where jobs, work items and leases live. Implemented on SQLite, on PostgreSQL and, for tests, in memory; one
/// conformance suite holds them to the same behaviour. Every operation is one transaction, and only the store's own
/// clock decides about time.
public protocol JobStore: TokenStore, BlobRegistry {
    /// Brings the schema up to date; safe to run from several processes at once.
    func migrate() async throws

    /// - Returns: the new job's id, or that of the job which was submitted before with the same idempotency key.
    func insert(_ job: NewJob) async throws -> JobID
    func job(_ id: JobID) async throws -> JobRecord?
    /// Newest first.
    func jobs(limit: Int) async throws -> [JobRecord]
    func items(of id: JobID) async throws -> [ItemRecord]
    /// What the job's ready items take, and what live sessions have.
    func scheduling(of id: JobID) async throws -> Scheduling
    /// Results of done items, by ordinal.
    func results(of id: JobID, ordinals: [Int]) async throws -> [Int: WorkResult]
    func events(of id: JobID, after sequence: Int64) async throws -> [JobEvent]
    /// - Throws: `.notFound`, or `.conflict` where the job's state forbids the action.
    func control(_ id: JobID, _ action: JobAction) async throws

    func openSession(_ request: SessionRequest, expiry: Duration) async throws -> SessionID
    /// Extends the session and reports which of its leases no longer hold.
    /// - Throws: `.notFound` where the session has expired.
    func heartbeat(_ session: SessionID, _ report: HeartbeatReport, expiry: Duration) async throws -> [Lease]
    func closeSession(_ session: SessionID) async throws
    /// Closes every session: for a process that alone may open any, and so knows that earlier ones are dead.
    func closeAllSessions() async throws

    func claim(_ session: SessionID, limit: Int) async throws -> [Claim]
    /// - Parameters:
    ///   - continuation: what the job goes on with; where it was stored before, that is kept.
    ///   - keepingBlobs: whether the registry knows of stored blobs, so that those of the result are to stay.
    /// - Throws: `.conflict` where the lease was lost, unless this very lease completed before with the same result;
    ///   `UnkeptBlobs`, with nothing changed.
    func complete(
        _ lease: Lease, _ completion: Completion, continuing continuation: JobContinuation?, keepingBlobs: Bool
    ) async throws
    func fail(_ lease: Lease, _ failure: WorkFailure) async throws
    func release(_ lease: Lease) async throws
    func lookUp(_ keys: [Digest]) async throws -> [Digest: Part]

    /// 32 random bytes that all coordinators of the store share, made when they are first asked for.
    func leaseSecret() async throws -> [UInt8]
    /// Whether the lease still counts; see `Lease.counts`.
    func holds(_ lease: Lease) async throws -> Bool
    /// Every digest in an item's payload and in the results of what it depends on.
    func blobsNamed(by item: WorkItemID) async throws -> Set<Digest>

    /// Takes the leases of dead sessions and overdue items away. Leader's duty.
    /// - Returns: how many leases were taken.
    func reap() async throws -> Int
    /// Makes ready what has nothing left to wait for. Leader's duty.
    func resolve() async throws -> Int
    /// Moves a batch of what a job that has been over for `age` leaves behind to where it is in nobody's way. Answers
    /// stay the same. Leader's duty.
    /// - Parameters:
    ///   - age: on PostgreSQL longer than a statement may take, two minutes, or a claim may be lost that is as slow.
    ///   - limit: how many items, about.
    /// - Returns: how many; nil where there is nothing to move.
    func moveToHistory(endedFor age: Duration, limit: Int) async throws -> Int?
    /// Takes or renews a leader's duty for `term`; false where another holder has it.
    func lead(_ duty: LeaderDuty, holder: String, term: Duration) async throws -> Bool

    /// Yields now and then when there may be new work or news; a hint, never a promise.
    func wakeUps() -> AsyncStream<Void>
}

/// What only one of the coordinators on a store does at a time.
public enum LeaderDuty: String, Sendable, CaseIterable {
    /// Reaping and resolving.
    case leader
    /// Removing blobs.
    case collector
    /// Moving jobs that have ended to history.
    case historian
}

extension JobStore {
    public func complete(_ lease: Lease, _ completion: Completion) async throws {
        try await complete(lease, completion, continuing: nil, keepingBlobs: false)
    }
}
