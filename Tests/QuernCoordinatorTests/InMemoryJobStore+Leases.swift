import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore

extension InMemoryJobStore {
    func openSession(_ request: SessionRequest, expiry: Duration) -> SessionID {
        let id = SessionID(rawValue: UUID().uuidString)
        let milliseconds = expiry.components.seconds * 1000
        sessions[id] = Session(request: request, expiry: milliseconds, expires: now + milliseconds)
        return id
    }

    func heartbeat(_ id: SessionID, _ report: HeartbeatReport, expiry: Duration) throws -> [Lease] {
        guard sessions[id]?.hasEnded == false else { throw QuernError(.notFound, "the session has ended") }
        let milliseconds = expiry.components.seconds * 1000
        sessions[id]?.expiry = milliseconds
        sessions[id]?.expires = now + milliseconds
        sessions[id]?.progress = report.leases
        let known = report.leases.map(\.lease)
        let lost = known.filter { lease in
            guard let item = item(lease) else { return true }
            if item.life.state == .done && item.life.leaseID == lease.id { return false }
            return item.session != id || item.life.fence != lease.fence || item.life.leaseID != lease.id
        }
        for item in held(by: id) where self[item].claimed < now - milliseconds {
            let lease = Lease(item: item, id: self[item].life.leaseID ?? "", fence: self[item].life.fence)
            if !known.contains(lease) { happen(item, .released(lease)) }
        }
        return lost
    }

    func closeSession(_ id: SessionID) {
        guard sessions[id]?.hasEnded == false else { return }
        sessions[id]?.hasEnded = true
        for item in held(by: id) {
            happen(item, .released(Lease(item: item, id: self[item].life.leaseID ?? "", fence: self[item].life.fence)))
        }
    }

    func closeAllSessions() {
        for id in Array(sessions.keys) { closeSession(id) }
    }

    func claim(_ id: SessionID, limit: Int) throws -> [Claim] {
        guard let session = sessions[id], !session.hasEnded else {
            throw QuernError(.notFound, "the session has ended")
        }
        let others = sessions.values.contains {
            !$0.hasEnded && $0.expires > now && $0.request.node != session.request.node
        }
        let failures = nodeFailures[session.request.node]?.values.filter { $0 > now - settings.nodeRest } ?? []
        guard session.expires > now, !others || failures.count < settings.suspiciousItems else { return [] }

        let candidates = allItems { item in
            item.life.state == .ready && item.life.notBefore <= self.now && item.life.memory <= session.request.memory
                && session.request.capabilities.contains(item.plan.payload.capability)
                && self.jobs[item.life.id.job]?.life.state == .running
        }
        let order = Set(candidates.map(\.job)).compactMap { jobs[$0] }.sorted {
            ($1.plan.priority, $0.virtualTime, $0.created, $0.plan.id.rawValue)
                < ($0.plan.priority, $1.virtualTime, $1.created, $1.plan.id.rawValue)
        }
        let picked = order.flatMap { job in
            candidates.filter { $0.job == job.plan.id }.sorted {
                (self[$1].plan.cost, $0.ordinal) < (self[$0].plan.cost, $1.ordinal)
            }
        }.prefix(max(limit, 0))
        return picked.map { lease($0, to: id, session) }
    }

    private func lease(_ item: WorkItemID, to id: SessionID, _ session: Session) -> Claim {
        let lease = UUID().uuidString
        happen(item, .claimed(leaseID: lease))
        change(item) { row in
            row.session = id
            row.claimed = now
            row.deadline = now + settings.shortestDeadline + row.plan.cost * 1000 / settings.slowestBytesPerSecond
            row.attempts.append(Attempt(number: row.life.attempts, lease: lease, node: session.request.node))
        }
        let cost = self[item].plan.cost
        jobs[item.job]?.virtualTime += cost
        let row = self[item]
        return Claim(
            lease: Lease(item: item, id: lease, fence: row.life.fence), payload: row.plan.payload,
            attempt: row.life.attempts,
            inputs: results(of: item.job, ordinals: row.dependencies).mapValues(row.plan.payload.input))
    }

    func complete(
        _ lease: Lease, _ completion: Completion, continuing continuation: JobContinuation?, keepingBlobs: Bool
    ) throws {
        try continuation?.validate(of: lease.item.job)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let digest = Digest(of: Array(try encoder.encode(completion.result))).hex
        let before = (jobs, nodeFailures)
        guard try follow(lease, .completed(lease, digest: digest)) else { return }
        let unkept = keepingBlobs ? completion.blobs.subtracting(keepBlobs(Array(completion.blobs))) : []
        guard unkept.isEmpty else {
            (jobs, nodeFailures) = before
            throw UnkeptBlobs(digests: unkept)
        }
        change(lease.item) { $0.result = completion.result }
        for entry in completion.cache where cache[entry.key] == nil { cache[entry.key] = entry.part }
        if let continuation, jobs[lease.item.job]?.items.count == continuation.firstOrdinal {
            add(continuation.items, to: lease.item.job)
            jobs[lease.item.job]?.artifacts = continuation.artifacts
        }
        let isQuiet = jobs[lease.item.job]?.items.contains { $0.life.state == .ready || $0.life.state == .leased }
        if isQuiet == false { _ = settle(lease.item.job) }
    }

    func release(_ lease: Lease) throws { _ = try follow(lease, .released(lease)) }

    func fail(_ lease: Lease, _ failure: WorkFailure) throws {
        guard let item = item(lease) else { throw QuernError(.conflict, "no such work item") }
        let makers = failure.class == .lostInput ? item.dependencies.filter { makes($0, of: lease, failure.blobs) } : []
        let live = sessions.values.filter { session in
            !session.hasEnded && session.expires > now
                && session.request.capabilities.contains(item.plan.payload.capability)
        }
        let context = FailureContext(
            node: item.attempts.first { $0.lease == lease.id }?.node ?? "",
            largestMemory: live.map(\.request.memory).max() ?? 0, hasMakers: !makers.isEmpty)
        let before = self[lease.item].life.rewinds
        _ = try follow(lease, .failed(lease, failure, context))
        let after = self[lease.item].life
        guard after.rewinds > before, after.state != .failed else { return }
        cache = cache.filter { !failure.blobs.contains($0.value.digest) }
        for maker in makers { happen(WorkItemID(job: lease.item.job, ordinal: maker), .rewound) }
    }

    private func makes(_ ordinal: Int, of lease: Lease, _ blobs: [Digest]) -> Bool {
        guard let result = jobs[lease.item.job]?.items[ordinal].result else { return false }
        return result.blobs.contains(where: blobs.contains)
    }

    /// - Returns: whether anything changed.
    private func follow(_ lease: Lease, _ event: ItemEvent) throws -> Bool {
        guard item(lease) != nil else { throw QuernError(.conflict, "no such work item") }
        let mutations = try decide(judged(lease.item), event, at: now, policy: settings.retry)
        apply(lease.item, mutations)
        return !mutations.isEmpty
    }
}
