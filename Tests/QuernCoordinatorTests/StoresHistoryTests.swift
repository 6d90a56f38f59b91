import QuernCoordinator
import QuernFormats
import QuernJobs
import Testing

/// Jobs that have ended, whose rows lie elsewhere.
@Suite struct StoresHistoryTests {
    private static let kinds: [StoreKind] = [.sqlite, .postgres]
    private static let age = Duration.seconds(3600)

    private static func job(_ name: String) -> JobID { JobID(rawValue: name) }

    /// A store on which moving may begin at once.
    private func makeRig(_ kind: StoreKind) async throws -> StoreRig {
        let rig = try await StoreRig.make(kind)
        #expect(try await rig.store.moveToHistory(endedFor: Self.age, limit: 1) == nil)
        try await rig.advance(by: 3600)
        return rig
    }

    /// Moves until there is nothing to move.
    private func moveAll(_ rig: StoreRig, limit: Int = 100) async throws -> Int {
        var moved = 0
        while let items = try await rig.store.moveToHistory(endedFor: Self.age, limit: limit) { moved += items }
        return moved
    }

    private func finish(_ id: JobID, _ rig: StoreRig, _ session: SessionID) async throws {
        for round in 0..<20 {
            for claim in try await rig.store.claim(session, limit: 10) {
                try await rig.store.complete(claim.lease, Sample.completion("\(round) \(claim.lease.item)"))
            }
        }
        #expect(try await rig.store.job(id)?.state == .done)
    }

    /// Lets one item of a new job fail for good.
    /// - Returns: leases of its other items, which are held on.
    private func failJob(_ name: String, _ rig: StoreRig, _ session: SessionID) async throws -> [Lease] {
        _ = try await rig.store.insert(Sample.job(name, spans: 4))
        let claims = try await rig.store.claim(session, limit: 3)
        try await rig.store.fail(claims[0].lease, Sample.failure(.permanent))
        #expect(try await rig.store.job(Self.job(name))?.state == .failed)
        return claims.dropFirst().map(\.lease)
    }

    /// All that users can ask about a job.
    private func look(_ id: JobID, _ rig: StoreRig) async throws -> String {
        let job = try #require(try await rig.store.job(id))
        let listed = try await rig.store.jobs(limit: 10).first { $0.id == id }
        let items = try await rig.store.items(of: id)
        let results = try await rig.store.results(of: id, ordinals: items.map(\.ordinal))
        let attempts = try await rig.rows("SELECT * FROM all_attempts WHERE job = '\(id)' ORDER BY ordinal, attempt")
        return """
            \(job.state) \(job.failure ?? "-") \(job.progress.items.sorted { $0.key < $1.key }) \(job.progress.costDone)
            \(listed?.progress.items.sorted { $0.key < $1.key } ?? []) \(items) \(results.keys.sorted())
            \(try await rig.store.events(of: id, after: 0)) \(attempts.map(\.values))
            """
    }

    private static let tables = ["work_items", "item_dependencies", "attempts"]

    private func counts(_ suffix: String, _ rig: StoreRig) async throws -> [Int] {
        var counts: [Int] = []
        for table in Self.tables {
            counts.append(try await rig.number("SELECT count(*) FROM \(table)\(suffix)"))
        }
        return counts
    }

    @Test(arguments: kinds)
    func answersStayTheSame(_ kind: StoreKind) async throws {
        let rig = try await makeRig(kind)
        let session = try await rig.session()
        let names = ["done", "failed", "cancelled"]
        _ = try await rig.store.insert(Sample.job("done", spans: 4))
        try await finish(Self.job("done"), rig, session)
        for lease in try await failJob("failed", rig, session) { try await rig.store.release(lease) }
        _ = try await rig.store.insert(Sample.job("cancelled", spans: 4))
        try await rig.store.control(Self.job("cancelled"), .cancel)
        var before: [String] = []
        for name in names { before.append(try await look(Self.job(name), rig)) }
        let present = try await counts("", rig)
        #expect(present == [15, 12, 8])

        try await rig.advance(by: 3599)
        #expect(try await rig.store.moveToHistory(endedFor: Self.age, limit: 2) == nil)
        try await rig.advance(by: 1)
        var batches = 0
        while try await rig.store.moveToHistory(endedFor: Self.age, limit: 2) != nil {
            batches += 1
            for (name, seen) in zip(names, before) { #expect(try await look(Self.job(name), rig) == seen) }
        }
        #expect(batches == 9)
        #expect(try await counts("", rig) == [0, 0, 0])
        #expect(try await counts("_history", rig) == present)
    }

    /// - Parameter batches: how much of the job has moved when it is opened again.
    @Test(arguments: kinds, [1, 2, 100])
    func retryBringsBack(_ kind: StoreKind, _ batches: Int) async throws {
        let rig = try await makeRig(kind)
        let session = try await rig.session()
        let leases = try await failJob("j", rig, session)
        try await rig.store.complete(leases[0], Sample.completion("early"))
        try await rig.store.release(leases[1])
        try await rig.advance(by: 3600)
        for _ in 0..<batches { _ = try await rig.store.moveToHistory(endedFor: Self.age, limit: 2) }
        #expect(try await counts("_history", rig)[0] == min(batches * 2, 5))
        try await rig.store.control(Self.job("j"), .retry)
        #expect(try await counts("_history", rig) == [0, 0, 0])
        #expect(try await rig.store.job(Self.job("j"))?.progress.items == ["done": 1, "ready": 3, "blocked": 1])
        try await finish(Self.job("j"), rig, try await rig.session())
        #expect(try await rig.store.moveToHistory(endedFor: Self.age, limit: 100) == nil)
    }

    /// The reaper took the lease, and nobody has claimed the item since: its result is welcome however late.
    @Test(arguments: kinds, [1, 100])
    func lateCompletionIsWelcome(_ kind: StoreKind, _ batches: Int) async throws {
        let rig = try await makeRig(kind)
        let held = try await failJob("j", rig, try await rig.session())
        try await rig.loseSilentSessions()
        #expect(try await rig.store.reap() == 2)
        try await rig.advance(by: 3600)
        func move() async throws {
            for _ in 0..<batches { _ = try await rig.store.moveToHistory(endedFor: Self.age, limit: 1) }
        }
        try await move()
        #expect(try await rig.store.holds(held[0]))
        let stranger = Lease(item: held[0].item, id: "another", fence: held[0].fence)
        await #expect(throws: QuernError.self) { try await rig.store.complete(stranger, Sample.completion("wrong")) }
        try await move()
        #expect(try await counts("_history", rig)[0] == min(batches + 2, 5))
        try await rig.store.complete(held[0], Sample.completion("late"))
        #expect(try await rig.store.items(of: Self.job("j"))[held[0].item.ordinal].state == .done)
        #expect(try await counts("_history", rig) == [0, 0, 0])
        try await rig.store.control(Self.job("j"), .retry)
        #expect(try await rig.store.job(Self.job("j"))?.progress.items == ["done": 1, "ready": 3, "blocked": 1])
        try await finish(Self.job("j"), rig, try await rig.session())
    }

    @Test(arguments: kinds)
    func replaysAreAnsweredAsBefore(_ kind: StoreKind) async throws {
        let rig = try await makeRig(kind)
        let session = try await rig.session()
        _ = try await rig.store.insert(Sample.job("j", items: [Sample.encode(), Sample.encode()]))
        let claims = try await rig.store.claim(session, limit: 2)
        for claim in claims { try await rig.store.complete(claim.lease, Sample.completion("once")) }
        try await rig.advance(by: 3600)
        #expect(try await moveAll(rig) == 2)
        let report = HeartbeatReport(leases: claims.map { .init(lease: $0.lease, fraction: 1) })
        #expect(try await rig.store.heartbeat(session, report, expiry: StoreRig.expiry).isEmpty)
        let lease = claims[0].lease
        try await rig.store.complete(lease, Sample.completion("once"))
        let error = await #expect(throws: QuernError.self) {
            try await rig.store.complete(lease, Sample.completion("otherwise"))
        }
        #expect(error?.code == .conflict)
        #expect(try await !rig.store.holds(lease))
        #expect(try await rig.store.job(Self.job("j"))?.state == .done)
    }

    /// A job in which somebody still works waits, and no other waits for it.
    @Test(arguments: kinds)
    func whatIsHeldStays(_ kind: StoreKind) async throws {
        let rig = try await makeRig(kind)
        let session = try await rig.session()
        let held = try await failJob("held", rig, session)
        _ = try await rig.store.insert(Sample.job("cancelled", spans: 2))
        try await rig.store.control(Self.job("cancelled"), .cancel)
        _ = try await rig.store.insert(Sample.job("running", spans: 2))
        try await rig.advance(by: 3600)
        #expect(try await moveAll(rig) == 3)
        #expect(try await rig.number("SELECT count(*) FROM work_items WHERE job = 'held'") == 5)
        for lease in held { try await rig.store.release(lease) }
        #expect(try await moveAll(rig, limit: 3) == 5)
        #expect(try await rig.number("SELECT count(*) FROM work_items") == 3)
    }
}

extension StoreRig {
    func rows(_ sql: String) async throws -> [SQLRow] {
        switch store {
        case let store as SQLiteJobStore: try await store.database.read { try $0.rows(sql, []) }
        case let store as PostgresJobStore: try await store.database.read { try $0.rows(sql, []) }
        default: []
        }
    }

    func number(_ sql: String) async throws -> Int {
        guard case .integer(let number)? = try await rows(sql).first?.values.first else { return -1 }
        return Int(number)
    }

    func run(_ sql: String) async throws {
        switch store {
        case let store as SQLiteJobStore: try await store.database.write { _ = try $0.run(sql, []) }
        case let store as PostgresJobStore: try await store.database.write { _ = try $0.run(sql, []) }
        default: break
        }
    }
}
