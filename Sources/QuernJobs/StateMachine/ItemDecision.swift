import QuernFormats

/// Something that happens to a work item.
public enum ItemEvent: Sendable {
    case claimed(leaseID: String)
    /// A worker hands in a result with this digest.
    case completed(Lease, digest: String)
    case failed(Lease, WorkFailure, FailureContext)
    case released(Lease)
    /// The session of its holder has died, or the item is overdue.
    case lost(node: String, reason: String)
    case cancelled
    /// A user wants a job that had ended to go on.
    case retried
    /// What it made is gone.
    case rewound
    /// Something it was made from, directly or not, has come out otherwise the second time.
    case outdated
    case dependencyDone
    case dependencyUndone
}

/// What must be known about the surroundings of a failure to judge it.
public struct FailureContext: Sendable {
    public let node: String
    /// The most memory any live session has that could run the item; bounds what it may come to require.
    public let largestMemory: Int64
    /// Whether items are known that made the blobs named by a lost input.
    public let hasMakers: Bool
    public init(node: String, largestMemory: Int64, hasMakers: Bool) {
        self.node = node
        self.largestMemory = largestMemory
        self.hasMakers = hasMakers
    }
}

/// The life of a work item as a pure function: what follows when `event` happens to `item` at `now` (milliseconds
/// since 1970). A mutation list that is empty means: nothing to do, and that is fine.
/// - Throws: `QuernError` `.conflict` where the event comes with a lease that no longer counts.
public func decide(
    _ item: ItemLife, _ event: ItemEvent, at now: Int64, policy: RetryPolicy
) throws -> [ItemMutation] {
    switch event {
    case .claimed(let leaseID):
        guard item.state == .ready else { throw item.leaseLost() }
        return [.enter(.leased), .raiseFence, .holdLease(leaseID), .count(.attempt)]
    case .completed(let lease, let digest):
        return try complete(item, lease, digest)
    case .failed(let lease, let failure, let context):
        guard item.isHeld(by: lease) else { throw item.leaseLost() }
        return fail(item, failure, context, at: now, policy: policy)
    case .released(let lease):
        guard item.isHeld(by: lease) else { throw item.leaseLost() }
        return [.enter(item.openState), .forgetLease, .closeAttempt(.released, message: "")]
    case .lost(let node, let reason):
        return item.state == .leased ? lose(item, node, reason, policy: policy) : []
    case .cancelled:
        switch item.state {
        case .blocked, .ready:
            return [.enter(.cancelled), .forgetLease]
        case .leased:
            return [.enter(.cancelled), .raiseFence, .forgetLease, .closeAttempt(.cancelled, message: "")]
        case .done, .failed, .cancelled, .quarantined:
            return []
        }
    case .retried:
        switch item.state {
        case .failed, .cancelled, .quarantined: return [.enter(item.openState), .forgetLease, .forgive]
        case .blocked, .ready, .leased, .done: return []
        }
    case .rewound:
        return item.state == .done ? item.rewind : []
    case .outdated:
        switch item.state {
        case .done:
            return item.rewind
        case .leased:
            let message = "what it is made from has changed"
            return [
                .enter(item.openState), .raiseFence, .forgetLease, .closeAttempt(.interrupted, message: message),
            ]
        case .blocked, .ready:
            // Whom the reaper took it from may still hand in what was made from the old.
            return item.leaseID == nil ? [] : [.forgetLease]
        case .failed, .cancelled, .quarantined:
            return []
        }
    case .dependencyDone:
        let unblocks = item.state == .blocked && item.dependenciesLeft == 1
        return [.changeDependencies(by: -1)] + (unblocks ? [.enter(.ready)] : [])
    case .dependencyUndone:
        return [.changeDependencies(by: 1)] + (item.state == .ready ? [.enter(.blocked)] : [])
    }
}

private func complete(_ item: ItemLife, _ lease: Lease, _ digest: String) throws -> [ItemMutation] {
    if lease.counts(state: item.state, fence: item.fence, leaseID: item.leaseID) {
        let done: [ItemMutation] = [
            .enter(.done), .keepResult(digest: digest), .closeAttempt(.done, message: ""), .countDownDependents,
        ]
        // Sums depend in their last bits on the processor: what was made from the old ones does not go with the new.
        guard let earlier = item.resultDigest, earlier != digest else { return done }
        return done + [
            .rewindDependents,
            .announce(.itemRetried, "its result is another than the one that was lost: what depends on it is redone"),
        ]
    }
    let isReplay = item.state == .done && item.leaseID == lease.id && item.fence - 1 <= lease.fence
    guard isReplay && item.resultDigest == digest else { throw item.leaseLost() }
    return []
}

private func fail(
    _ item: ItemLife, _ failure: WorkFailure, _ context: FailureContext, at now: Int64, policy: RetryPolicy
) -> [ItemMutation] {
    let message = failure.message
    let rest = { (count: Int) in
        ItemMutation.rest(until: now + policy.delay(failures: count, item: item.id, attempt: item.attempts))
    }
    /// The item goes back into circulation, or is given up where `count` of the tally has reached its end.
    func retry(_ tally: ItemMutation.Tally, _ count: Int, of limit: Int, resting: Bool) -> [ItemMutation] {
        let outcome: AttemptOutcome = tally == .failure ? .failed : .interrupted
        let end: [ItemMutation] = [
            .count(tally), .forgetLease, .note(message), .closeAttempt(outcome, message: message),
        ]
        guard count < limit else { return end + item.giveUp(.failed, "\(message) (tried \(item.attempts) times)") }
        return end + (resting ? [rest(count)] : []) + [.enter(item.openState), .announce(.itemRetried, message)]
    }

    switch failure.class {
    case .permanent:
        return [.count(.failure), .forgetLease, .note(message), .closeAttempt(.failed, message: message)]
            + item.giveUp(.failed, message)
    case .outOfMemory:
        let raised = min(item.memory + item.memory / 2, max(context.largestMemory, item.memory))
        return retry(.failure, item.failures + 1, of: policy.maximumFailures, resting: true)
            + [.require(memory: raised)]
    case .outOfSpace where !policy.awaitsSpace:
        return [.count(.interruption), .forgetLease, .note(message), .closeAttempt(.failed, message: message)]
            + item.giveUp(.failed, message)
    case .outOfSpace, .preempted:
        return retry(
            .interruption, item.interruptions + 1, of: policy.maximumInterruptions,
            resting: failure.class == .outOfSpace)
    case .lostInput where context.hasMakers:
        let again = item.rewinds + 1 < policy.maximumRewinds
        return retry(.rewind, item.rewinds + 1, of: policy.maximumRewinds, resting: false)
            + (again ? [.rewindMakers] : [])
    case .transient, .lostInput:
        let nodes = item.setbacks.filter { $0.outcome == .failed && $0.message == message }.map(\.node)
        guard Set(nodes + [context.node]).count < policy.suspiciousNodes else {
            return [.count(.failure), .forgetLease, .note(message), .closeAttempt(.failed, message: message)]
                + item.giveUp(.quarantined, "\(message) (the same on \(policy.suspiciousNodes) nodes)")
        }
        return retry(.failure, item.failures + 1, of: policy.maximumFailures, resting: true)
            + [.suspect(node: context.node)]
    }
}

private func lose(_ item: ItemLife, _ node: String, _ reason: String, policy: RetryPolicy) -> [ItemMutation] {
    let nodes = Set(item.setbacks.filter { $0.outcome == .lost }.map(\.node) + [node])
    let losses = item.losses + 1
    let end: [ItemMutation] = [
        .count(.loss), .raiseFence, .note(reason), .closeAttempt(.lost, message: reason), .announce(.leaseLost, reason),
    ]
    let blamed = losses >= policy.suspiciousLosses && nodes.count >= policy.suspiciousNodes
    if blamed || losses >= policy.maximumLosses {
        return end + [.forgetLease] + item.giveUp(.quarantined, "\(losses) workers were lost over it")
    }
    return end + [.enter(item.openState)]
}

extension ItemLife {
    fileprivate func isHeld(by lease: Lease) -> Bool {
        state == .leased && fence == lease.fence && leaseID == lease.id
    }

    /// From done back into circulation.
    fileprivate var rewind: [ItemMutation] {
        [.enter(openState), .raiseFence, .forgetLease, .dropResult, .countUpDependents]
    }

    fileprivate func giveUp(_ end: ItemState, _ message: String) -> [ItemMutation] {
        [.enter(end), .announce(.itemFailed, message), .failJob("\(label): \(message)")]
    }

    fileprivate func leaseLost() -> QuernError {
        QuernError(
            .conflict, "the lease no longer holds", at: "\(id.job)/\(id.ordinal)",
            remedy: "Drop the work; another worker has it or the job has ended")
    }
}
