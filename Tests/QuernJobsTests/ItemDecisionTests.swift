import QuernFormats
import QuernJobs
import Testing

@Suite struct ItemDecisionTests {
    private let policy = RetryPolicy(seed: 1)
    private let id = WorkItemID(job: JobID(rawValue: "j"), ordinal: 3)
    private var lease: Lease { Lease(item: id, id: "L", fence: 5) }

    private func item(_ state: ItemState, dependenciesLeft: Int = 0) -> ItemLife {
        ItemLife(
            id: id, label: "span", state: state, dependenciesLeft: dependenciesLeft, fence: 5,
            leaseID: state == .leased || state == .done ? "L" : nil, attempts: 1, memory: 100,
            resultDigest: state == .done ? "d" : nil)
    }

    private func after(_ item: ItemLife, _ event: ItemEvent) throws -> ItemLife {
        item.applying(try decide(item, event, at: 1_000, policy: policy))
    }

    private func failed(_ kind: WorkFailure.Class, hasMakers: Bool = false, node: String = "one") -> ItemEvent {
        .failed(
            lease, WorkFailure(class: kind, message: "m"),
            FailureContext(node: node, largestMemory: 130, hasMakers: hasMakers))
    }

    @Test func claimTakesReadyItemsOnly() throws {
        let claimed = try after(item(.ready), .claimed(leaseID: "M"))
        #expect(claimed.state == .leased)
        #expect(claimed.fence == 6)
        #expect(claimed.leaseID == "M")
        #expect(claimed.attempts == 2)
        for state in ItemState.allCases where state != .ready {
            #expect(throws: QuernError.self) { try after(item(state), .claimed(leaseID: "M")) }
        }
    }

    @Test(arguments: ItemState.allCases)
    func completionNeedsTheLease(_ state: ItemState) throws {
        if state == .leased {
            let mutations = try decide(item(state), .completed(lease, digest: "d"), at: 0, policy: policy)
            #expect(
                mutations == [
                    .enter(.done), .keepResult(digest: "d"), .closeAttempt(.done, message: ""), .countDownDependents,
                ])
        } else if state == .done {
            #expect(try decide(item(state), .completed(lease, digest: "d"), at: 0, policy: policy).isEmpty)
            #expect(throws: QuernError.self) {
                try decide(item(state), .completed(lease, digest: "other"), at: 0, policy: policy)
            }
        } else {
            #expect(throws: QuernError.self) {
                try decide(item(state), .completed(lease, digest: "d"), at: 0, policy: policy)
            }
        }
        for wrong in [Lease(item: id, id: "L", fence: 4), Lease(item: id, id: "K", fence: 5)] {
            let error = #expect(throws: QuernError.self) {
                try decide(item(.leased), .completed(wrong, digest: "d"), at: 0, policy: policy)
            }
            #expect(error?.code == .conflict)
        }
    }

    /// Whoever hands a lease in may have changed its fence to anything.
    @Test(arguments: [Int64.min, .max])
    func fencesAtTheEnds(_ fence: Int64) throws {
        let forged = Lease(item: id, id: "L", fence: fence)
        let taken = try after(item(.leased), .lost(node: "one", reason: "silence"))
        for item in [item(.done), item(.leased), taken] {
            let error = #expect(throws: QuernError.self) {
                try decide(item, .completed(forged, digest: "other"), at: 0, policy: policy)
            }
            #expect(error?.code == .conflict)
        }
    }

    @Test func takenItemsWelcomeTheirLastHolderUntilTheNextClaim() throws {
        let taken = try after(item(.leased), .lost(node: "one", reason: "silence"))
        #expect(taken.state == .ready)
        #expect(taken.fence == 6)
        #expect(taken.losses == 1)
        let late = try after(taken, .completed(lease, digest: "d"))
        #expect(late.state == .done)
        #expect(try decide(late, .completed(lease, digest: "d"), at: 0, policy: policy).isEmpty)
        let claimed = try after(taken, .claimed(leaseID: "M"))
        #expect(throws: QuernError.self) { try after(claimed, .completed(lease, digest: "d")) }
        let cancelled = try after(taken, .cancelled)
        #expect(throws: QuernError.self) { try after(cancelled, .completed(lease, digest: "d")) }
    }

    @Test func failuresByClass() throws {
        let permanent = try after(item(.leased), failed(.permanent))
        #expect(permanent.state == .failed)
        let transient = try after(item(.leased), failed(.transient))
        #expect(transient.state == .ready)
        #expect(transient.failures == 1)
        #expect((2_000..<4_000).contains(transient.notBefore))
        let memory = try after(item(.leased), failed(.outOfMemory))
        #expect(memory.memory == 130)
        #expect(memory.failures == 1)
        let preempted = try after(item(.leased, dependenciesLeft: 1), failed(.preempted))
        #expect(preempted.state == .blocked)
        #expect(preempted.failures == 0)
        #expect(preempted.interruptions == 1)
        #expect(preempted.notBefore == 0)
        #expect(try after(item(.leased), failed(.outOfSpace)).notBefore > 1_000)
        let lost = try decide(item(.leased), failed(.lostInput, hasMakers: true), at: 0, policy: policy)
        #expect(lost.last == .rewindMakers)
        #expect(try after(item(.leased), failed(.lostInput)).failures == 1)
        for kind in WorkFailure.Class.allCases {
            #expect(throws: QuernError.self) { try after(item(.ready), failed(kind)) }
        }
    }

    @Test(arguments: [WorkFailure.Class.transient, .outOfMemory, .outOfSpace, .preempted, .lostInput])
    func everyTallyHasAnEnd(_ kind: WorkFailure.Class) throws {
        var life = item(.leased)
        var tries = 0
        while life.state == .leased {
            tries += 1
            life = try after(life, failed(kind, hasMakers: kind == .lostInput))
            if life.state == .ready {
                life.state = .leased
                life.leaseID = "L"
            }
        }
        #expect(life.state == .failed)
        let limits: [WorkFailure.Class: Int] = [
            .transient: 5, .outOfMemory: 5, .outOfSpace: 100, .preempted: 100, .lostInput: 10,
        ]
        #expect(tries == limits[kind])
        let forgiven = try after(life, .retried)
        #expect(forgiven.state == .ready)
        #expect([forgiven.failures, forgiven.losses, forgiven.interruptions, forgiven.rewinds] == [0, 0, 0, 0])
    }

    @Test func blameTakesTwoNodes() throws {
        var life = item(.leased)
        life.setbacks = [Setback(node: "one", outcome: .failed, message: "m")]
        life.failures = 1
        #expect(try after(life, failed(.transient, node: "one")).state == .ready)
        #expect(try after(life, failed(.transient, node: "two")).state == .quarantined)
        life.setbacks = [Setback(node: "one", outcome: .failed, message: "something else")]
        #expect(try after(life, failed(.transient, node: "two")).state == .ready)

        life = item(.leased)
        life.losses = 2
        life.setbacks = Array(repeating: Setback(node: "one", outcome: .lost, message: ""), count: 2)
        #expect(try after(life, .lost(node: "one", reason: "")).state == .ready)
        #expect(try after(life, .lost(node: "two", reason: "")).state == .quarantined)
        life.losses = 9
        #expect(try after(life, .lost(node: "one", reason: "")).state == .quarantined)
    }

    @Test func dependenciesAreCountedInEveryState() throws {
        for state in ItemState.allCases {
            let undone = try after(item(state), .dependencyUndone)
            #expect(undone.dependenciesLeft == 1)
            #expect(undone.state == (state == .ready ? .blocked : state))
            #expect(try after(undone, .dependencyDone).state == (state == .blocked ? .ready : state))
        }
        #expect(try after(item(.blocked, dependenciesLeft: 2), .dependencyDone).state == .blocked)
        let rewound = try decide(item(.done), .rewound, at: 0, policy: policy)
        #expect(rewound == [.enter(.ready), .raiseFence, .forgetLease, .dropResult, .countUpDependents])
        #expect(try decide(item(.ready), .rewound, at: 0, policy: policy).isEmpty)
    }

    @Test func anotherResultTheSecondTimeIsNoticed() throws {
        var again = try after(item(.done), .rewound)
        again.state = .leased
        again.leaseID = "L"
        again.fence = lease.fence
        #expect(try decide(again, .completed(lease, digest: "d"), at: 0, policy: policy).count == 4)
        let other = try decide(again, .completed(lease, digest: "other"), at: 0, policy: policy)
        #expect(other.contains(.rewindDependents) && other.firstIndex(of: .countDownDependents) == 3)
    }

    @Test func whatIsOutdatedGoesBack() throws {
        #expect(
            try decide(item(.done), .outdated, at: 0, policy: policy)
                == decide(item(.done), .rewound, at: 0, policy: policy))
        let taken = try after(item(.leased), .outdated)
        #expect(taken.state == .ready && taken.failures + taken.losses + taken.interruptions == 0)
        // Not even its last holder may hand in what it made from the old.
        #expect(throws: QuernError.self) { try after(taken, .completed(lease, digest: "d")) }
        for state in ItemState.allCases where state != .done && state != .leased {
            #expect(try decide(item(state), .outdated, at: 0, policy: policy).isEmpty)
        }
        // Nor the one whom the reaper took it from.
        let reaped = try after(item(.leased), .lost(node: "one", reason: "silent"))
        #expect(try after(reaped, .completed(lease, digest: "d")).state == .done)
        #expect(throws: QuernError.self) { try after(after(reaped, .outdated), .completed(lease, digest: "d")) }
    }

    @Test func backOffDoublesWithinItsJitter() {
        for failures in 1...12 {
            let base = min(2_000 << (failures - 1), 300_000)
            let delays = (0..<200).map { policy.delay(failures: failures, item: id, attempt: $0) }
            #expect(delays.allSatisfy { $0 >= Int64(base / 2) && $0 < Int64(base + base / 2) })
            #expect(Set(delays).count > 150)
        }
        #expect(policy.delay(failures: 2, item: id, attempt: 1) == policy.delay(failures: 2, item: id, attempt: 1))
        #expect(policy.delay(failures: .max, item: id, attempt: 1) < 450_000)
    }
}
