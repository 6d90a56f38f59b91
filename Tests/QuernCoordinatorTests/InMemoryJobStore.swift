import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore

/// The job store that the others are held to: dictionaries, and `decide` for every single item.
actor InMemoryJobStore: JobStore {
    struct Attempt {
        let number: Int
        let lease: String
        let node: String
        var outcome: AttemptOutcome?
        var message = ""
    }

    struct Item {
        var life: ItemLife
        let plan: PlannedItem
        let dependencies: [Int]
        var dependents: [Int] = []
        let isFanIn: Bool
        var session: SessionID?
        var claimed: Int64 = 0
        var deadline: Int64 = 0
        var result: WorkResult?
        var attempts: [Attempt] = []
        var forgiven = 0
    }

    struct Job {
        let plan: NewJob
        var artifacts: [PlannedArtifact]
        var life: JobLife
        let created: Int64
        var finished: Int64?
        var failure: String?
        var events: [JobEvent] = []
        var items: [Item]
        var virtualTime: Int64 = 0
    }

    struct Blob {
        enum State { case arriving, live, condemned, deleting }
        var state = State.live
        let arrived: Int64
        var touched: Int64
    }

    struct Session {
        let request: SessionRequest
        var expiry: Int64
        var expires: Int64
        var hasEnded = false
        var progress: [HeartbeatReport.Progress] = []
    }

    let settings: JobStoreSettings
    var now = ManualTime.start
    var jobs: [JobID: Job] = [:]
    var sessions: [SessionID: Session] = [:]
    var cache: [Digest: Part] = [:]
    var accessTokens: [String: (token: AccessToken, isRevoked: Bool)] = [:]
    var nodeFailures: [String: [WorkItemID: Int64]] = [:]
    var blobs: [Digest: Blob] = [:]
    private var leaders: [LeaderDuty: (holder: String, expires: Int64)] = [:]
    private var listeningSince: Int64?

    init(settings: JobStoreSettings) { self.settings = settings }

    func setTime(_ time: Int64) { now = time }
    func migrate() {}
    nonisolated func wakeUps() -> AsyncStream<Void> { AsyncStream { $0.yield() } }

    func insert(_ job: NewJob) throws -> JobID {
        try job.validate()
        let earlier = jobs.values.first { earlier in
            earlier.plan.id == job.id || job.idempotencyKey.map { $0 == earlier.plan.idempotencyKey } ?? false
        }
        if let earlier { return earlier.plan.id }
        jobs[job.id] = Job(
            plan: job, artifacts: job.artifacts, life: JobLife(id: job.id, state: .running), created: now, items: [])
        add(job.items, to: job.id)
        rejoinShare(job.id)
        announce(job.id, .submitted, nil, job.name)
        return job.id
    }

    func add(_ planned: [PlannedItem], to id: JobID) {
        var items = jobs[id]?.items ?? []
        for plan in planned {
            let dependencies = Set(plan.dependencies).sorted()
            let left = dependencies.count { items[$0].life.state != .done }
            let life = ItemLife(
                id: WorkItemID(job: id, ordinal: items.count), label: plan.label,
                state: left == 0 ? .ready : .blocked, dependenciesLeft: left, memory: plan.memory)
            for parent in dependencies { items[parent].dependents.append(items.count) }
            items.append(
                Item(
                    life: life, plan: plan, dependencies: dependencies,
                    isFanIn: dependencies.count > settings.largestCountedFanIn))
        }
        jobs[id]?.items = items
    }

    func results(of id: JobID, ordinals: [Int]) -> [Int: WorkResult] {
        guard let items = jobs[id]?.items else { return [:] }
        let results = ordinals.filter(items.indices.contains).compactMap { ordinal in
            items[ordinal].result.map { (ordinal, $0) }
        }
        return Dictionary(results, uniquingKeysWith: { first, _ in first })
    }

    func events(of id: JobID, after sequence: Int64) -> [JobEvent] {
        jobs[id]?.events.filter { $0.sequence > sequence } ?? []
    }

    func job(_ id: JobID) -> JobRecord? { jobs[id].map(record) }

    func jobs(limit: Int) -> [JobRecord] {
        let newest = jobs.values.sorted { ($1.created, $1.plan.id.rawValue) < ($0.created, $0.plan.id.rawValue) }
        return newest.prefix(limit).map(record)
    }

    private func record(_ job: Job) -> JobRecord {
        let total = job.items.reduce(0) { $0 + $1.plan.cost }
        let done = job.items.filter { $0.life.state == .done }.reduce(0) { $0 + $1.plan.cost }
        let states = Dictionary(job.items.map { ($0.life.state.rawValue, 1) }, uniquingKeysWith: +)
        return JobRecord(
            id: job.plan.id, name: job.plan.name, state: job.life.state, priority: job.plan.priority,
            recipe: job.plan.recipe, created: job.created, finished: job.finished, failure: job.failure,
            progress: .init(items: states, costDone: done, costTotal: total), artifacts: job.artifacts)
    }

    func items(of id: JobID) -> [ItemRecord] {
        (jobs[id]?.items ?? []).map { item in
            let reported = item.session.flatMap { sessions[$0] }?.progress ?? []
            let fraction = reported.first { $0.lease.id == item.life.leaseID }?.fraction ?? 0
            return ItemRecord(
                ordinal: item.life.id.ordinal, stage: item.plan.payload.stage, state: item.life.state,
                label: item.plan.label, attempts: item.life.attempts,
                fraction: item.life.state == .done ? 1 : item.life.state == .leased ? fraction : 0,
                lastError: item.life.lastError)
        }
    }

    func scheduling(of id: JobID) -> Scheduling {
        let ready = (jobs[id]?.items ?? []).filter { $0.life.state == .ready }.map(\.plan)
        let live = sessions.values.filter { !$0.hasEnded && $0.expires > now }.map(\.request)
        return Scheduling(
            needs: Set(ready.map { Scheduling.Need($0.payload.capability, memory: $0.memory) }),
            offers: Dictionary(grouping: live, by: { Set($0.capabilities) }).map { capabilities, requests in
                Scheduling.Offer(capabilities, memory: requests.map(\.memory).max() ?? 0)
            })
    }

    func lookUp(_ keys: [Digest]) -> [Digest: Part] { cache.filter { keys.contains($0.key) } }

    func lead(_ duty: LeaderDuty, holder: String, term: Duration) -> Bool {
        if let leader = leaders[duty], leader.holder != holder, leader.expires > now { return false }
        leaders[duty] = (holder, now + term.components.seconds * 1000)
        return true
    }

    /// Nothing moves: where rows lie must not show in any answer.
    func moveToHistory(endedFor age: Duration, limit: Int) -> Int? { nil }

    func reap() -> Int {
        let since = listeningSince ?? now
        listeningSince = since
        let dead = sessions.filter { !$1.hasEnded && $1.expires <= now && $1.expiry <= now - since }
            .sorted { ($0.value.expires, $0.key.rawValue) < ($1.value.expires, $1.key.rawValue) }
        var taken = 0
        for (id, session) in dead {
            sessions[id]?.hasEnded = true
            for item in held(by: id) {
                happen(item, .lost(node: session.request.node, reason: "its worker was not heard of any more"))
                taken += 1
            }
        }
        let overdue = allItems { $0.life.state == .leased && $0.deadline <= self.now }
        for item in overdue {
            guard let session = self[item].session.flatMap({ sessions[$0] }), session.expiry <= now - since else {
                continue
            }
            happen(item, .lost(node: session.request.node, reason: "its worker took too long"))
            taken += 1
        }
        return taken
    }

    func resolve() -> Int {
        jobs.keys.sorted { $0.rawValue < $1.rawValue }.reduce(0) { $0 + settle($1) }
    }
}
