import QuernCoordinator
import QuernFormats
import QuernJobs
import Testing

/// What becomes of work that fails, on every store.
@Suite struct StoresRetryTests {
    @Test(arguments: StoreKind.allCases)
    func transientFailuresRestAndEnd(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        let session = try await rig.session()
        for attempt in 1...5 {
            let claim = try #require(try await rig.store.claim(session, limit: 1).first)
            #expect(claim.attempt == attempt)
            try await rig.store.fail(claim.lease, Sample.failure(.transient))
            #expect(try await rig.store.claim(session, limit: 1).isEmpty)
            for _ in 0..<2 {
                try await rig.advance(by: 30)
                _ = try await rig.store.heartbeat(session, HeartbeatReport(leases: []), expiry: StoreRig.expiry)
            }
        }
        let job = try #require(try await rig.store.job(id))
        #expect(job.state == .failed)
        #expect(job.failure == "span 0: went wrong (tried 5 times)")
        #expect(try await rig.store.items(of: id)[0].lastError == "went wrong")
        let kinds = try await rig.store.events(of: id, after: 1).map(\.kind)
        #expect(kinds == Array(repeating: .itemRetried, count: 4) + [.itemFailed, .failed])
        try await rig.store.control(id, .retry)
        #expect(try await rig.store.claim(session, limit: 1).first?.attempt == 6)
    }

    @Test(arguments: StoreKind.allCases)
    func permanentFailureEndsTheJobButNotWhatRuns(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 3))
        let session = try await rig.session()
        let claims = try await rig.store.claim(session, limit: 2)
        try await rig.store.fail(claims[0].lease, Sample.failure(.permanent, "no such file"))
        #expect(try await rig.store.job(id)?.failure == "span 0: no such file")
        #expect(try await rig.store.claim(session, limit: 1).isEmpty)
        try await rig.store.complete(claims[1].lease, Sample.completion("kept"))
        try await rig.store.control(id, .retry)
        #expect(try await rig.store.items(of: id).map(\.state) == [.ready, .done, .ready, .blocked])
        #expect(try await rig.store.job(id)?.failure == nil)
    }

    @Test(arguments: StoreKind.allCases)
    func outOfMemoryNeedsMoreNextTime(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        _ = try await rig.store.insert(Sample.job("j", items: [Sample.encode(memory: 100)]))
        let small = try await rig.session(memory: 120)
        let large = try await rig.session(node: "large", memory: 200)
        let claim = try #require(try await rig.store.claim(small, limit: 1).first)
        try await rig.store.fail(claim.lease, Sample.failure(.outOfMemory))
        try await rig.advance(by: 4)
        #expect(try await rig.store.claim(small, limit: 1).isEmpty)
        #expect(try await rig.store.claim(large, limit: 1).count == 1)
    }

    @Test(arguments: StoreKind.allCases)
    func interruptionsAreNotCounted(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        let session = try await rig.session()
        for _ in 0..<8 {
            let claim = try #require(try await rig.store.claim(session, limit: 1).first)
            try await rig.store.fail(claim.lease, Sample.failure(.preempted))
            let again = try #require(try await rig.store.claim(session, limit: 1).first)
            try await rig.store.release(again.lease)
        }
        #expect(try await rig.store.job(id)?.state == .running)
        let held = try await rig.store.claim(session, limit: 1)
        #expect(held.map(\.attempt) == [17])
        try await rig.store.closeSession(session)
        #expect(try await rig.store.items(of: id)[0].state == .ready)
    }

    @Test(arguments: StoreKind.allCases)
    func sameErrorOnTwoNodesIsQuarantined(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        for node in ["one", "two"] {
            let claim = try #require(try await rig.store.claim(rig.session(node: node), limit: 1).first)
            try await rig.store.fail(claim.lease, Sample.failure(.transient, "bad block"))
            try await rig.advance(by: 10)
        }
        #expect(try await rig.store.items(of: id)[0].state == .quarantined)
        #expect(try await rig.store.job(id)?.state == .failed)
    }

    @Test(arguments: StoreKind.allCases)
    func threeLossesOnTwoNodesAreQuarantined(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        for node in ["one", "one", "two"] {
            #expect(try await rig.store.items(of: id)[0].state == .ready)
            _ = try await rig.store.claim(rig.session(node: node), limit: 1)
            try await rig.loseSilentSessions()
            #expect(try await rig.store.reap() == 1)
        }
        #expect(try await rig.store.items(of: id)[0].state == .quarantined)
        try await rig.store.control(id, .retry)
        #expect(try await rig.store.items(of: id)[0].state == .ready)
    }

    @Test(arguments: StoreKind.allCases)
    func suspiciousNodeGetsNoMoreWhileThereAreOthers(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        _ = try await rig.store.insert(Sample.job("j", spans: 9))
        let bad = try await rig.session(node: "bad")
        for claim in try await rig.store.claim(bad, limit: 5) {
            try await rig.store.fail(claim.lease, Sample.failure(.transient))
        }
        let alone = try #require(try await rig.store.claim(bad, limit: 1).first)
        let good = try await rig.session(node: "good")
        #expect(try await rig.store.claim(bad, limit: 1).isEmpty)
        #expect(try await rig.store.claim(good, limit: 1).count == 1)
        try await rig.store.complete(alone.lease, Sample.completion("it can after all"))
        #expect(try await rig.store.claim(bad, limit: 1).count == 1)
    }

    @Test(arguments: StoreKind.allCases)
    func lostInputIsMadeAgain(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 2))
        let session = try await rig.session()
        for (index, claim) in try await rig.store.claim(session, limit: 2).enumerated() {
            try await rig.store.complete(claim.lease, Sample.completion("part \(index)"))
        }
        let key = Sample.digest("key of part 1")
        #expect(try await rig.store.lookUp([key, Sample.digest("unknown")]) == [key: Sample.part("part 1")])
        let last = try #require(try await rig.store.claim(session, limit: 1).first)
        let lost = Sample.failure(.lostInput, "part 1 is gone", blobs: [Sample.digest("part 1")])
        try await rig.store.fail(last.lease, lost)
        #expect(try await rig.store.items(of: id).map(\.state) == [.done, .ready, .blocked])
        #expect(try await rig.store.lookUp([key]).isEmpty)
        #expect(try await rig.store.results(of: id, ordinals: [0, 1]).keys.sorted() == [0])
        let again = try await rig.store.claim(session, limit: 9)
        #expect(again.map(\.lease.item.ordinal) == [1])
        try await rig.store.complete(again[0].lease, Sample.completion("part 1"))
        let publish = try #require(try await rig.store.claim(session, limit: 9).first)
        #expect(publish.inputs.count == 2)
        try await rig.store.complete(publish.lease, Sample.completion("manifest"))
        #expect(try await rig.store.job(id)?.state == .done)
    }

    /// Statistics, encoders, files, a manifest: 0 → 1, 2, 3 → 4 (of 1), 5 (of 2, 3) → 6.
    @Test(arguments: StoreKind.allCases)
    func whatWasMadeFromLostStatisticsIsMadeAgainWhereTheyCameOutOtherwise(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let edges: [[Int]] = [[], [0], [0], [0], [1], [2, 3], [4, 5]]
        let job = Sample.job("j", items: edges.enumerated().map { Sample.encode(after: $1, label: "item \($0)") })
        let id = try await rig.store.insert(job)
        let session = try await rig.session()
        func claim(_ limit: Int = 9) async throws -> [Claim] { try await rig.store.claim(session, limit: limit) }
        func states() async throws -> [ItemState] { try await rig.store.items(of: id).map(\.state) }
        func input(_ claim: Claim?) -> WorkResult? { claim?.inputs[0] }

        let first = try #require(try await claim().first)
        try await rig.store.complete(first.lease, Sample.completion("sums"))
        let encoders = try await claim()
        #expect(encoders.map(\.lease.item.ordinal) == [1, 2, 3])
        try await rig.store.complete(encoders[0].lease, Sample.completion("one"))
        let file = try #require(try await claim().first)
        try await rig.store.complete(file.lease, Sample.completion("file of one"))
        try await rig.store.fail(
            encoders[1].lease, Sample.failure(.lostInput, "gone", blobs: [Sample.digest("sums")]))
        #expect(try await states() == [.ready, .done, .blocked, .leased, .done, .blocked, .blocked])

        // The same comes out: what was made from it stays.
        let same = try #require(try await claim().first)
        try await rig.store.complete(same.lease, Sample.completion("sums"))
        #expect(try await states() == [.done, .done, .ready, .leased, .done, .blocked, .blocked])
        let second = try #require(try await claim().first)
        try await rig.store.fail(second.lease, Sample.failure(.lostInput, "gone", blobs: [Sample.digest("sums")]))

        // Other sums: all that has read the old ones goes back, also what is in work.
        let other = try #require(try await claim().first)
        try await rig.store.complete(other.lease, Sample.completion("other sums"))
        #expect(try await states() == [.done, .ready, .ready, .ready, .blocked, .blocked, .blocked])
        let late = await #expect(throws: QuernError.self) {
            try await rig.store.complete(encoders[2].lease, Sample.completion("three of the old sums"))
        }
        #expect(late?.code == .conflict)
        while let next = try await claim(1).first {
            if [1, 2, 3].contains(next.lease.item.ordinal) {
                #expect(input(next) == Sample.completion("other sums").result)
            }
            try await rig.store.complete(next.lease, Sample.completion("again \(next.lease.item.ordinal)"))
        }
        #expect(try await rig.store.job(id)?.state == .done)
        #expect(
            try await rig.store.results(of: id, ordinals: [4])[4] == Sample.completion("again 4").result)
    }

    /// Who was thought dead may hand in late what nobody has claimed since, but not what it made from the old.
    @Test(arguments: StoreKind.allCases, [false, true])
    func lateResultsOfLostStatisticsAreRefused(_ kind: StoreKind, cameOutOtherwise: Bool) async throws {
        let rig = try await StoreRig.make(kind)
        let edges: [[Int]] = [[], [0], [0], [1, 2]]
        let job = Sample.job("j", items: edges.enumerated().map { Sample.encode(after: $1, label: "item \($0)") })
        let id = try await rig.store.insert(job)
        let (silent, alive) = (try await rig.session(node: "silent"), try await rig.session(node: "alive"))
        func claim(_ session: SessionID) async throws -> Claim {
            try #require(try await rig.store.claim(session, limit: 1).first)
        }
        try await rig.store.complete(try await claim(silent).lease, Sample.completion("sums"))
        let (late, second) = (try await claim(silent), try await claim(alive))
        #expect([late, second].map(\.lease.item.ordinal) == [1, 2])
        let report = HeartbeatReport(leases: [.init(lease: second.lease, fraction: 0)])
        _ = try await rig.store.reap()
        try await rig.advance(by: 30)
        _ = try await rig.store.heartbeat(alive, report, expiry: StoreRig.expiry)
        try await rig.advance(by: 30)
        #expect(try await rig.store.reap() == 1)

        try await rig.store.fail(second.lease, Sample.failure(.lostInput, "gone", blobs: [Sample.digest("sums")]))
        let again = try await claim(alive)
        #expect(again.lease.item.ordinal == 0)
        try await rig.store.complete(again.lease, Sample.completion(cameOutOtherwise ? "other sums" : "sums"))
        if cameOutOtherwise {
            let refused = await #expect(throws: QuernError.self) {
                try await rig.store.complete(late.lease, Sample.completion("one of the old sums"))
            }
            #expect(refused?.code == .conflict)
        } else {
            try await rig.store.complete(late.lease, Sample.completion("one of the same sums"))
        }
        #expect(try await rig.store.items(of: id).map(\.state)[1] == (cameOutOtherwise ? .ready : .done))
    }

    @Test(arguments: StoreKind.allCases)
    func reaperWaitsUntilItCanKnow(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 2))
        let silent = try await rig.session()
        _ = try await rig.store.claim(silent, limit: 1)
        try await rig.advance(by: 3600)
        // The first run after the start: nobody had a chance to be heard.
        #expect(try await rig.store.reap() == 0)
        try await rig.advance(by: 44)
        #expect(try await rig.store.reap() == 0)
        #expect(try await rig.store.claim(silent, limit: 1).isEmpty)
        _ = try await rig.store.heartbeat(silent, HeartbeatReport(leases: []), expiry: StoreRig.expiry)
        _ = try await rig.store.claim(silent, limit: 1)
        try await rig.advance(by: 44)
        #expect(try await rig.store.reap() == 0)
        try await rig.advance(by: 2)
        #expect(try await rig.store.reap() == 1)
        let gone = await #expect(throws: QuernError.self) {
            _ = try await rig.store.heartbeat(silent, HeartbeatReport(leases: []), expiry: StoreRig.expiry)
        }
        #expect(gone?.code == .notFound)
        #expect(try await rig.store.items(of: id).map(\.state) == [.ready, .ready, .blocked])
    }

    @Test(arguments: StoreKind.allCases)
    func overdueItemsAreTaken(_ kind: StoreKind) async throws {
        var settings = JobStoreSettings.steady
        settings.shortestDeadline = 100_000
        let rig = try await StoreRig.make(kind, settings: settings)
        let id = try await rig.store.insert(Sample.job("j", spans: 1))
        let session = try await rig.session()
        let claim = try #require(try await rig.store.claim(session, limit: 1).first)
        let report = HeartbeatReport(leases: [.init(lease: claim.lease, fraction: 0.1)])
        #expect(try await rig.store.reap() == 0)
        for taken in [0, 0, 1] {
            try await rig.advance(by: 40)
            _ = try await rig.store.heartbeat(session, report, expiry: StoreRig.expiry)
            #expect(try await rig.store.reap() == taken)
        }
        #expect(try await rig.store.heartbeat(session, report, expiry: StoreRig.expiry) == [claim.lease])
        #expect(try await rig.store.items(of: id)[0].lastError == "its worker took too long")
    }

    @Test(arguments: StoreKind.allCases)
    func oneLeaderAtATime(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        #expect(try await rig.store.lead(.leader, holder: "a", term: .seconds(15)))
        #expect(try await !rig.store.lead(.leader, holder: "b", term: .seconds(15)))
        try await rig.advance(by: 14)
        #expect(try await rig.store.lead(.leader, holder: "a", term: .seconds(15)))
        try await rig.advance(by: 14)
        #expect(try await !rig.store.lead(.leader, holder: "b", term: .seconds(15)))
        try await rig.advance(by: 1)
        #expect(try await rig.store.lead(.leader, holder: "b", term: .seconds(15)))
        #expect(try await !rig.store.lead(.leader, holder: "a", term: .seconds(15)))
    }
}
