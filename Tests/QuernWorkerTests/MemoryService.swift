import QuernFormats
import QuernJobs
import QuernStore

/// A coordinator in memory that does as a test says: it goes away, loses leases, forgets sessions, and hands items
/// out in any order.
actor MemoryService: WorkerService {
    struct Item {
        let payload: WorkPayload
        let dependencies: [Int]
        var lease: Lease?
        var attempts = 0
        var result: WorkResult?
        var failures: [WorkFailure] = []
        var releases = 0
    }
    let job = JobID(rawValue: "job")
    private(set) var items: [Item]
    private(set) var sessions = 0
    private(set) var closed = 0
    private(set) var refused = 0
    private(set) var cache: [Digest: Part]
    private(set) var fractions: [Int: [Double]] = [:]
    private var live: SessionID?
    private var fence: Int64 = 0

    /// Calls to come that find nobody, and what they say.
    var away = 0
    private var trouble = QuernError.Code.unavailable
    /// Ordinals whose next heartbeat says that their lease is lost.
    private var losing: Set<Int> = []
    private var expiring = false
    private let order: @Sendable ([Int]) -> [Int]
    private let heartbeat: Double
    /// Results of items that are not part of this service's.
    private let inputs: [Int: WorkResult]
    private typealias Condition = @Sendable (isolated MemoryService) -> Bool
    private var watchers: [(condition: Condition, signal: CheckedContinuation<Void, Never>)] = []

    /// - Parameter order: the order in which ready items are handed out.
    init(
        _ items: [PlannedItem], away: Int = 0, heartbeat: Double = 0.01, inputs: [Int: WorkResult] = [:],
        cache: [Digest: Part] = [:], order: @escaping @Sendable ([Int]) -> [Int] = { $0 }
    ) {
        self.items = items.map { Item(payload: $0.payload, dependencies: $0.dependencies) }
        self.away = away
        self.heartbeat = heartbeat
        self.inputs = inputs
        self.cache = cache
        self.order = order
    }

    var results: [WorkResult?] { items.map(\.result) }
    var isDone: Bool { items.allSatisfy { $0.result != nil } }

    func loseLease(of ordinal: Int) { losing.insert(ordinal) }
    func expireSession() { expiring = true }
    func goAway(for calls: Int, _ trouble: QuernError.Code = .unavailable) { (away, self.trouble) = (calls, trouble) }
    func adopt(_ parts: [Digest: Part]) { cache = parts }

    /// Returns when `condition` holds.
    func wait(until condition: @escaping @Sendable (isolated MemoryService) -> Bool) async {
        if condition(self) { return }
        await withCheckedContinuation { watchers.append((condition, $0)) }
    }

    private func changed() {
        let met = watchers.filter { $0.condition(self) }
        watchers.removeAll { $0.condition(self) }
        for watcher in met { watcher.signal.resume() }
    }

    private func reach() throws {
        guard away > 0 else { return }
        away -= 1
        throw QuernError(trouble, "nobody there")
    }

    func openSession(_ request: SessionRequest) throws -> SessionGrant {
        try reach()
        sessions += 1
        let session = SessionID(rawValue: "session-\(sessions)")
        live = session
        changed()
        return SessionGrant(session: session, heartbeatSeconds: heartbeat, expirySeconds: 60)
    }

    func heartbeat(_ session: SessionID, _ report: HeartbeatReport) throws -> HeartbeatReply {
        try reach()
        if expiring {
            expiring = false
            live = nil
            for index in items.indices { items[index].lease = nil }
        }
        guard session == live else { throw QuernError(.notFound, "unknown session") }
        var lost: [Lease] = []
        for progress in report.leases {
            let ordinal = progress.lease.item.ordinal
            fractions[ordinal, default: []].append(progress.fraction)
            if losing.remove(ordinal) != nil {
                items[ordinal].lease = nil
                lost.append(progress.lease)
            }
        }
        changed()
        return HeartbeatReply(lost: lost)
    }

    func closeSession(_ session: SessionID) {
        closed += 1
        changed()
    }

    func claim(_ session: SessionID, limit: Int, wait: Duration) async throws -> [Claim] {
        try reach()
        guard session == live else { throw QuernError(.notFound, "unknown session") }
        let ready = items.indices.filter { index in
            let item = items[index]
            return item.lease == nil && item.result == nil && item.failures.isEmpty
                && item.dependencies.allSatisfy { items[$0].result != nil }
        }
        let claims = order(ready).prefix(limit).map { index in
            fence += 1
            let lease = Lease(item: WorkItemID(job: job, ordinal: index), id: "lease-\(fence)", fence: fence)
            items[index].lease = lease
            items[index].attempts += 1
            let inputs = items[index].dependencies.map { ($0, items[$0].result) }
            return Claim(
                lease: lease, payload: items[index].payload, attempt: items[index].attempts,
                inputs: Dictionary(uniqueKeysWithValues: inputs).compactMapValues { $0 }.merging(self.inputs) { $1 })
        }
        changed()
        return claims
    }

    private func hold(_ lease: Lease) throws {
        guard items[lease.item.ordinal].lease == lease else {
            refused += 1
            changed()
            throw QuernError(.conflict, "the lease was lost")
        }
    }

    func complete(_ lease: Lease, _ completion: Completion) throws {
        try reach()
        try hold(lease)
        items[lease.item.ordinal].lease = nil
        items[lease.item.ordinal].result = completion.result
        for entry in completion.cache { cache[entry.key] = entry.part }
        changed()
    }

    func fail(_ lease: Lease, _ failure: WorkFailure) throws {
        try reach()
        try hold(lease)
        items[lease.item.ordinal].lease = nil
        items[lease.item.ordinal].failures.append(failure)
        changed()
    }

    func release(_ lease: Lease) throws {
        try reach()
        try hold(lease)
        items[lease.item.ordinal].lease = nil
        items[lease.item.ordinal].releases += 1
        changed()
    }

    func lookUp(_ keys: [Digest]) throws -> [Digest: Part] {
        try reach()
        return cache.filter { keys.contains($0.key) }
    }
}
