import QuernFormats
import QuernJobs
import QuernStore

extension Coordinator: WorkerService {
    /// The most items that one call may claim.
    static let largestClaim = 256

    public func openSession(_ request: SessionRequest) async throws -> SessionGrant {
        guard request.node.isName else {
            throw QuernError(.usage, "a node's name has 1 to 255 characters, none NUL", at: "node")
        }
        guard request.slots > 0, request.memory > 0, !request.stages.isEmpty else {
            throw QuernError(.usage, "a session needs slots, memory and stages", at: request.node)
        }
        let session = try await store.openSession(request, expiry: settings.expiry)
        count { $0.sessionsOpened += 1 }
        return SessionGrant(
            session: session, heartbeatSeconds: settings.heartbeat.seconds, expirySeconds: settings.expiry.seconds)
    }

    public func heartbeat(_ session: SessionID, _ report: HeartbeatReport) async throws -> HeartbeatReply {
        if let index = report.leases.firstIndex(where: { !(0...1).contains($0.fraction) }) {
            throw QuernError(.usage, "a fraction lies between 0 and 1", at: "leases[\(index)].fraction")
        }
        let lost = try await store.heartbeat(session, report, expiry: settings.expiry)
        count { $0.heartbeats += 1 }
        return HeartbeatReply(lost: lost)
    }

    public func closeSession(_ session: SessionID) async throws {
        try await store.closeSession(session)
        count { $0.sessionsClosed += 1 }
        bell.ring()
    }

    public func claim(_ session: SessionID, limit: Int, wait: Duration) async throws -> [Claim] {
        guard limit > 0 else { throw QuernError(.usage, "a claim asks for at least one item", at: "limit") }
        count { $0.claimCalls += 1 }
        let clock = ContinuousClock()
        let end = clock.now + min(max(wait, .zero), settings.longPoll)
        while true {
            let heard = bell.count
            let looked = clock.now
            if try await disk.used() < settings.claimLimit {
                let claims = try await store.claim(session, limit: min(limit, Self.largestClaim))
                if !claims.isEmpty {
                    count { $0.itemsClaimed += claims.count }
                    return claims
                }
            }
            let left = end - clock.now
            guard left > .zero, !isDraining, !Task.isCancelled else { return [] }
            count { $0.claimsWaiting += 1 }
            await bell.wait(after: heard, upTo: min(left, settings.tick))
            // A crowd that looks each time that something is handed in would leave the database no time for anything
            // else: the more there are that wait, the longer each waits before it looks again.
            let crowd = counters.withLock { $0.claimsWaiting }
            let next = looked + min(settings.tick, .microseconds(100) * crowd)
            if crowd > 1, next > clock.now { try? await Task.sleep(for: min(next, end) - clock.now) }
            count { $0.claimsWaiting -= 1 }
        }
    }

    public func complete(_ lease: Lease, _ completion: Completion) async throws {
        var continuation: JobContinuation?
        if case .collect(let collected) = completion.result {
            continuation = try await self.continuation(after: lease, by: collected.costs)
        }
        try await withConflictsCounted { [continuation] in
            do {
                try await record(lease, completion, continuation)
            } catch let error as UnkeptBlobs {
                try await ensureStored(error.digests, for: lease)
                try await record(lease, completion, continuation)
            }
        }
        count { $0.completions += 1 }
        // Children that were counted down are ready now; those that wait for many become so by the resolver.
        bell.ring()
        resolving.ring()
        if case .publish = completion.result { ends.ring() }
    }

    private func record(_ lease: Lease, _ completion: Completion, _ continuation: JobContinuation?) async throws {
        try await store.complete(
            lease, completion, continuing: continuation, keepingBlobs: settings.collection != nil)
    }

    /// A lease that was lost long ago may be handed in when its blobs have already been removed.
    private func ensureStored(_ blobs: Set<Digest>, for lease: Lease) async throws {
        for digest in blobs.sorted(by: { $0.hex < $1.hex }) where try await !self.blobs.contains(digest) {
            let message = "blob \(digest), which the result names, is not stored any more"
            try await store.fail(lease, WorkFailure(class: .transient, message: message))
            throw QuernError(.conflict, message, at: "\(lease.item.job)/\(lease.item.ordinal)")
        }
    }

    public func fail(_ lease: Lease, _ failure: WorkFailure) async throws {
        try await withConflictsCounted { try await store.fail(lease, failure) }
        count { $0.failures += 1 }
        if failure.class == .lostInput { await restorePlanned(failure.blobs, of: lease.item.job) }
        bell.ring()
        resolving.ring()
    }

    public func release(_ lease: Lease) async throws {
        try await withConflictsCounted { try await store.release(lease) }
        count { $0.releases += 1 }
        bell.ring()
    }

    public func lookUp(_ keys: [Digest]) async throws -> [Digest: Part] {
        let found = try await store.lookUp(keys)
        // A part counts only while its blob is there; otherwise it is simply made again.
        var parts: [Digest: Part] = [:]
        for (key, part) in found where try await blobs.contains(part.digest) { parts[key] = part }
        count {
            $0.cacheKeysAsked += keys.count
            $0.cacheKeysFound += parts.count
        }
        return parts
    }

    private func withConflictsCounted(_ operation: () async throws -> Void) async throws {
        do {
            try await operation()
        } catch let error as QuernError where error.code == .conflict {
            count { $0.conflicts += 1 }
            throw error
        }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
