import QuernCoordinator
import QuernFormats
import QuernJobs
import Testing

/// Who gets what next, on every store.
@Suite struct StoresSchedulingTests {
    @Test(arguments: StoreKind.allCases)
    func largestFirstWithinAJob(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let items = [Sample.encode(cost: 5), Sample.encode(cost: 50), Sample.encode(cost: 20), Sample.encode(cost: 50)]
        _ = try await rig.store.insert(Sample.job("j", items: items))
        let claims = try await rig.store.claim(rig.session(), limit: 3)
        #expect(claims.map(\.lease.item.ordinal) == [1, 3, 2])
    }

    @Test(arguments: StoreKind.allCases)
    func sessionsGetWhatTheyCanRun(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let items = [
            Sample.encode(cost: 9, memory: 1000), Sample.encode(cost: 1, memory: 10), Sample.publish(after: []),
        ]
        _ = try await rig.store.insert(Sample.job("j", items: items))
        let small = try await rig.session(memory: 10, stages: [.encode])
        #expect(try await rig.store.claim(small, limit: 9).map(\.lease.item.ordinal) == [1])
        let publisher = try await rig.session(stages: [.publish, .assemble])
        #expect(try await rig.store.claim(publisher, limit: 9).map(\.lease.item.ordinal) == [2])
        let idle = try await rig.session(stages: [])
        #expect(try await rig.store.claim(idle, limit: 9).isEmpty)
    }

    /// The processor computes what asks for it, cards what asks for those, and either whatever computes no model.
    @Test(arguments: StoreKind.allCases)
    func modelsAreComputedByWhatIsAskedFor(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        func calibrate(_ forward: ForwardDevice?) -> PlannedItem {
            let work = CalibrateWork(
                model: ModelReference(path: "/m", files: [], identity: Sample.digest("file")), tokens: 0,
                chunkTokens: 32, firstChunk: 0, maximumChunks: 1, processOutput: false, forward: forward, memory: 1)
            return PlannedItem(payload: .calibrate(work), cost: 1, memory: 1, label: "calibrate")
        }
        let items = [calibrate(nil), calibrate(.cuda), calibrate(.cpu), Sample.encode(cost: 1), calibrate(.cuda)]
        let job = try await rig.store.insert(Sample.job("j", items: items))
        func claim(_ stages: [Stage], _ forward: [ForwardDevice]?, limit: Int = 9) async throws -> [Int] {
            let request = SessionRequest(node: "n", slots: 4, memory: 1 << 40, stages: stages, forward: forward)
            let session = try await rig.store.openSession(request, expiry: StoreRig.expiry)
            return try await rig.store.claim(session, limit: limit).map(\.lease.item.ordinal)
        }
        #expect(try await claim([.calibrate], []).isEmpty)
        #expect(try await claim([.calibrate], [.cuda], limit: 1) == [1])
        #expect(try await claim([.calibrate, .encode], nil) == [0, 2, 3])
        #expect(try await claim(Stage.allCases, [.cpu, .cuda]) == [4])
        #expect(try await rig.store.items(of: job).map(\.stage) == items.map(\.payload.stage))
    }

    /// Ready items of one job, and sessions that live.
    @Test(arguments: StoreKind.allCases)
    func saysWhatItemsTakeAndWorkersHave(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let job = try await rig.store.insert(Sample.job("j", spans: 3, cost: 5))
        _ = try await rig.store.insert(Sample.job("other", items: [Sample.encode(memory: 77)]))
        let need = Scheduling.Need(Capability(.encode), memory: 1)
        #expect(try await rig.store.scheduling(of: job) == Scheduling(needs: [need], offers: []))

        let ended = try await rig.session(memory: 1 << 50)
        try await rig.store.closeSession(ended)
        _ = try await rig.session(memory: 1 << 45)
        try await rig.advance(by: StoreRig.expiry / .seconds(1) + 1)
        _ = try await rig.session(memory: 10, stages: [.publish])
        _ = try await rig.session(memory: 30, stages: [.publish])
        let request = SessionRequest(node: "n", slots: 1, memory: 20, stages: [.calibrate, .encode], forward: [.cuda])
        let session = try await rig.store.openSession(request, expiry: StoreRig.expiry)
        let found = try await rig.store.scheduling(of: job)
        #expect(found.needs == [need])
        let cards: Set<Capability> = [Capability(.calibrate, forward: .cuda), Capability(.encode)]
        #expect(
            found.offers.sorted { $0.memory < $1.memory }
                == [Scheduling.Offer(cards, memory: 20), Scheduling.Offer([Capability(.publish)], memory: 30)])

        // What is leased needs nobody.
        _ = try await rig.store.claim(session, limit: 9)
        #expect(try await rig.store.scheduling(of: job).needs.isEmpty)
    }

    @Test(arguments: StoreKind.allCases)
    func jobsShareByWhatTheyHaveHad(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let session = try await rig.session()
        func next() async throws -> String {
            try #require(try await rig.store.claim(session, limit: 1).first).lease.item.job.rawValue
        }
        _ = try await rig.store.insert(Sample.job("a", spans: 9, cost: 30))
        try await rig.advance(by: 1)
        var order = [try await next(), try await next()]
        // A newcomer does not make up for what it missed: it starts level.
        _ = try await rig.store.insert(Sample.job("b", spans: 9, cost: 10))
        for _ in 0..<8 { order.append(try await next()) }
        #expect(order.joined() == "aaabbbabbb")
        // A higher class goes before any share.
        _ = try await rig.store.insert(Sample.job("c", spans: 2, cost: 1_000, priority: 1))
        #expect(try await [next(), next(), next()] == ["c", "c", "a"])
    }

    /// What jobs have had counts at once, whenever it is written down.
    @Test(arguments: [StoreKind.sqlite, .postgres], [Duration.zero, .seconds(3600)])
    func jobsTakeTurnsWhateverIsWritten(_ kind: StoreKind, _ interval: Duration) async throws {
        let rig = try await StoreRig.make(kind, settings: .remembering(for: interval))
        let session = try await rig.session()
        for name in ["a", "b", "c"] {
            _ = try await rig.store.insert(Sample.job(name, spans: 9, cost: 10))
            try await rig.advance(by: 1)
        }
        var order = ""
        for _ in 0..<9 {
            order += try #require(try await rig.store.claim(session, limit: 1).first).lease.item.job.rawValue
        }
        #expect(order == "abcabcabc")
    }

    /// Claims go on where they left off; what was ready later comes when the rest does not do, or when they look from
    /// the front again.
    @Test(arguments: [StoreKind.sqlite, .postgres], [Duration.zero, .seconds(3600)])
    func claimsGoOnWhereTheyLeftOff(_ kind: StoreKind, _ interval: Duration) async throws {
        let rig = try await StoreRig.make(kind, settings: .remembering(for: interval))
        let session = try await rig.session()
        let costs: [Int64] = [9, 9, 9, 5, 5, 3]
        _ = try await rig.store.insert(Sample.job("j", items: costs.map { Sample.encode(cost: $0) }))
        let first = try await rig.store.claim(session, limit: 2)
        try await rig.store.release(first[0].lease)
        var order: [Int] = []
        for limit in [1, 2, 9] {
            order += try await rig.store.claim(session, limit: limit).map(\.lease.item.ordinal)
        }
        #expect(first.map(\.lease.item.ordinal) == [0, 1])
        #expect(order == (interval == .zero ? [0, 2, 3, 4, 5] : [2, 3, 4, 5, 0]))
        #expect(try await rig.store.claim(session, limit: 1).isEmpty)
    }

    @Test(arguments: StoreKind.allCases)
    func pausedJobsGiveNothingOut(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let id = try await rig.store.insert(Sample.job("j", spans: 2))
        let session = try await rig.session()
        let held = try #require(try await rig.store.claim(session, limit: 1).first)
        try await rig.store.control(id, .pause)
        #expect(try await rig.store.claim(session, limit: 1).isEmpty)
        try await rig.store.complete(held.lease, Sample.completion("a"))
        #expect(try await rig.store.job(id)?.state == .paused)
        try await rig.store.control(id, .resume)
        #expect(try await rig.store.claim(session, limit: 1).count == 1)
        let kinds = try await rig.store.events(of: id, after: 0).map(\.kind)
        #expect(kinds == [.submitted, .paused, .resumed])
    }

    @Test(arguments: StoreKind.allCases)
    func bigFanInIsReadyWhenTheLastIsDone(_ kind: StoreKind) async throws {
        var settings = JobStoreSettings.steady
        settings.largestCountedFanIn = 2
        let rig = try await StoreRig.make(kind, settings: settings)
        let id = try await rig.store.insert(Sample.job("j", spans: 4))
        let session = try await rig.session()
        let claims = try await rig.store.claim(session, limit: 4)
        for (index, claim) in claims.enumerated() {
            #expect(try await rig.store.resolve() == 0)
            #expect(try await rig.store.items(of: id)[4].state == .blocked)
            try await rig.store.complete(claim.lease, Sample.completion("\(index)"))
        }
        let last = try #require(try await rig.store.claim(session, limit: 1).first)
        #expect(last.inputs.count == 4)
        try await rig.store.complete(last.lease, Sample.completion("manifest"))
        #expect(try await rig.store.job(id)?.state == .done)
        #expect(try await rig.store.resolve() == 0)
    }

    @Test(arguments: StoreKind.allCases)
    func sameKeySameJob(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let ids = try await withThrowingTaskGroup(of: JobID.self) { group in
            for index in 0..<6 { group.addTask { try await rig.store.insert(Sample.job("j\(index)", key: "once")) } }
            return try await group.reduce(into: Set<JobID>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await rig.store.jobs(limit: 10).map(\.id) == Array(ids))
        #expect(try await rig.store.insert(Sample.job("other")) == JobID(rawValue: "other"))
        #expect(try await rig.store.insert(Sample.job("other")) == JobID(rawValue: "other"))
        #expect(try await rig.store.events(of: JobID(rawValue: "other"), after: 0).count == 1)
    }

    @Test(arguments: StoreKind.allCases)
    func unknownJobsAndWrongPlans(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let nowhere = JobID(rawValue: "nowhere")
        #expect(try await rig.store.job(nowhere) == nil)
        #expect(try await rig.store.events(of: nowhere, after: 0).isEmpty)
        let missing = await #expect(throws: QuernError.self) { try await rig.store.control(nowhere, .pause) }
        #expect(missing?.code == .notFound)
        let circular = Sample.job("c", items: [Sample.encode(after: [0])])
        let refused = await #expect(throws: QuernError.self) { _ = try await rig.store.insert(circular) }
        #expect(refused?.code == .invalidInput)
        let dead = await #expect(throws: QuernError.self) {
            _ = try await rig.store.claim(SessionID(rawValue: "none"), limit: 1)
        }
        #expect(dead?.code == .notFound)
    }
}

extension JobStoreSettings {
    fileprivate static func remembering(for interval: Duration) -> JobStoreSettings {
        var settings = steady
        settings.claimMemory = interval
        return settings
    }
}
