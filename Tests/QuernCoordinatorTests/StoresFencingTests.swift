import QuernCoordinator
import QuernFormats
import QuernJobs
import Testing

/// Who may hand in what, on every store.
@Suite struct StoresFencingTests {
    @Test(arguments: StoreKind.allCases)
    func lateCompletionIsRefusedAfterAnotherClaim(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        _ = try await rig.store.insert(Sample.job("j", spans: 1))
        let late = try #require(try await rig.store.claim(rig.session(), limit: 1).first)
        try await rig.loseSilentSessions()
        #expect(try await rig.store.reap() == 1)
        let again = try #require(try await rig.store.claim(rig.session(node: "two"), limit: 1).first)
        #expect(again.lease.fence == late.lease.fence + 2)
        #expect(again.attempt == 2)
        await expectConflict { try await rig.store.complete(late.lease, Sample.completion("late")) }
        await expectConflict { try await rig.store.fail(late.lease, Sample.failure(.transient)) }
        await expectConflict { try await rig.store.release(late.lease) }
        try await rig.store.complete(again.lease, Sample.completion("good"))
        let id = late.lease.item.job
        #expect(try await rig.store.results(of: id, ordinals: [0]) == [0: Sample.completion("good").result])
        #expect(try await rig.store.events(of: id, after: 1).map(\.kind) == [.leaseLost])
    }

    @Test(arguments: StoreKind.allCases)
    func lateCompletionIsWelcomeWhereNobodyHasClaimed(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        _ = try await rig.store.insert(Sample.job("j", spans: 2))
        let claims = try await rig.store.claim(rig.session(), limit: 2)
        try await rig.loseSilentSessions()
        try await rig.store.complete(claims[0].lease, Sample.completion("before the reaper"))
        #expect(try await rig.store.reap() == 1)
        try await rig.store.complete(claims[1].lease, Sample.completion("after it"))
        try await rig.store.complete(claims[1].lease, Sample.completion("after it"))
        #expect(try await rig.store.items(of: JobID(rawValue: "j")).map(\.state) == [.done, .done, .ready])
    }

    @Test(arguments: StoreKind.allCases)
    func replayIsAcceptedWithTheSameResultOnly(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        _ = try await rig.store.insert(Sample.job("j", spans: 1))
        let claim = try #require(try await rig.store.claim(rig.session(), limit: 1).first)
        try await rig.store.complete(claim.lease, Sample.completion("a"))
        try await rig.store.complete(claim.lease, Sample.completion("a"))
        await expectConflict { try await rig.store.complete(claim.lease, Sample.completion("b")) }
        let forged = Lease(item: claim.lease.item, id: "guessed", fence: claim.lease.fence)
        await expectConflict { try await rig.store.complete(forged, Sample.completion("a")) }
        let nowhere = Lease(item: WorkItemID(job: JobID(rawValue: "x"), ordinal: 0), id: "a", fence: 1)
        await expectConflict { try await rig.store.complete(nowhere, Sample.completion("a")) }
    }

    @Test(arguments: StoreKind.allCases)
    func cancelTakesLeasesAwayAndWorkersHearOfIt(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 2))
        let session = try await rig.session()
        let claims = try await rig.store.claim(session, limit: 2)
        try await rig.store.complete(claims[0].lease, Sample.completion("a"))
        let report = HeartbeatReport(leases: claims.map { .init(lease: $0.lease, fraction: 0.5) })
        #expect(try await rig.store.heartbeat(session, report, expiry: StoreRig.expiry).isEmpty)
        #expect(try await rig.store.items(of: id).map(\.fraction) == [1, 0.5, 0])
        try await rig.store.control(id, .cancel)
        let lost = try await rig.store.heartbeat(session, report, expiry: StoreRig.expiry)
        #expect(lost == [claims[1].lease])
        await expectConflict { try await rig.store.complete(claims[1].lease, Sample.completion("b")) }
        #expect(try await rig.store.items(of: id).map(\.state) == [.done, .cancelled, .cancelled])
        #expect(try await rig.store.claim(session, limit: 9).isEmpty)

        try await rig.store.control(id, .cancel)
        await expectConflict { try await rig.store.control(id, .resume) }
        try await rig.store.control(id, .retry)
        #expect(try await rig.store.items(of: id).map(\.state) == [.done, .ready, .blocked])
        #expect(try await rig.store.job(id)?.finished == nil)
        await expectConflict { try await rig.store.control(id, .retry) }
    }

    /// Whether everything is looked at or not.
    @Test(arguments: StoreKind.allCases, [Duration.zero, .seconds(1_000_000_000)])
    func claimWhoseAnswerWasLostComesBack(_ kind: StoreKind, _ thoroughInterval: Duration) async throws {
        var settings = JobStoreSettings.steady
        settings.thoroughInterval = thoroughInterval
        let rig = try await StoreRig.make(kind, settings: settings)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        let session = try await rig.session()
        _ = try await rig.store.claim(session, limit: 1)
        let silent = HeartbeatReport(leases: [])
        _ = try await rig.store.heartbeat(session, silent, expiry: StoreRig.expiry)
        #expect(try await rig.store.items(of: id)[0].state == .leased)
        try await rig.advance(by: 46)
        _ = try await rig.store.heartbeat(session, silent, expiry: StoreRig.expiry)
        #expect(try await rig.store.items(of: id)[0].state == .ready)
    }

    /// Who says nothing for long after such a claim is only looked at thoroughly.
    @Test(arguments: StoreKind.allCases)
    func claimThatWasLostLongAgoComesBack(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        let session = try await rig.session()
        _ = try await rig.store.claim(session, limit: 1)
        try await rig.advance(by: 3600)
        _ = try await rig.store.heartbeat(session, HeartbeatReport(leases: []), expiry: StoreRig.expiry)
        #expect(try await rig.store.items(of: id)[0].state == .ready)
    }

    @Test(arguments: StoreKind.allCases)
    func concurrentClaimsNeverShareAnItem(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        for job in ["a", "b"] { _ = try await rig.store.insert(Sample.job(job, spans: 60)) }
        let leases = try await withThrowingTaskGroup(of: [Lease].self) { group in
            for worker in 0..<8 {
                group.addTask {
                    let session = try await rig.session(node: "node \(worker)")
                    var mine: [Lease] = []
                    while case let claims = try await rig.store.claim(session, limit: 3), !claims.isEmpty {
                        for claim in claims { try await rig.store.complete(claim.lease, Sample.completion("x")) }
                        mine += claims.map(\.lease)
                    }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(leases.count == Set(leases.map(\.item)).count)
        #expect(leases.allSatisfy { $0.fence == 1 })
        _ = try await rig.store.resolve()
        let session = try await rig.session()
        for claim in try await rig.store.claim(session, limit: 2) {
            try await rig.store.complete(claim.lease, Sample.completion("manifest"))
        }
        #expect(try await rig.store.jobs(limit: 9).map(\.state) == [.done, .done])
    }

    private func expectConflict(
        _ body: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: QuernError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == .conflict, sourceLocation: sourceLocation)
    }
}
