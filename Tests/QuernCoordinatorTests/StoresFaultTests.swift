import Dispatch
import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import TestSupport
import Testing

/// What the databases themselves can do to a job store.
@Suite struct StoresFaultTests {
    @Test func secondCoordinatorOnOneFileIsRefused() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("jobs.sqlite")
        var first: SQLiteJobStore? = try SQLiteJobStore(path: path)
        try await first?.migrate()
        try await first?.migrate()
        _ = try await first?.insert(Sample.job("j"))
        let error = #expect(throws: QuernError.self) { _ = try SQLiteJobStore(path: path) }
        #expect(error?.code == .conflict)
        #expect(error?.location == path)
        first = nil
        let second = try SQLiteJobStore(path: path)
        try await second.migrate()
        #expect(try await second.job(JobID(rawValue: "j"))?.state == .running)
    }

    @Test func whatIsNoDatabaseIsSaidToBeNone() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(String(repeating: "not a database ", count: 100), to: "jobs.sqlite")
        let error = await #expect(throws: QuernError.self) { try await SQLiteJobStore(path: path).migrate() }
        #expect(error?.code == .corrupted)
        let nowhere = #expect(throws: QuernError.self) { _ = try SQLiteJobStore(path: folder.path("a/b/jobs.sqlite")) }
        #expect(nowhere?.code == .io)
    }

    @Test func damagedFileIsNotCalledLost() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("jobs.sqlite")
        var store: SQLiteJobStore? = try SQLiteJobStore(path: path)
        try await store?.migrate()
        for number in 0..<50 { _ = try await store?.insert(Sample.job("j\(number)", spans: 3)) }
        store = nil
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes.replaceSubrange(4096..., with: repeatElement(0xFF, count: bytes.count - 4096))
        try bytes.write(to: URL(fileURLWithPath: path))
        let error = await #expect(throws: QuernError.self) {
            _ = try await SQLiteJobStore(path: path).job(JobID(rawValue: "j7"))
        }
        #expect(error?.code == .corrupted)
        #expect(error?.remedy.contains("integrity_check") == true)
    }

    @Test func schemaOfTheFutureIsRefused() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteJobStore(path: folder.path("jobs.sqlite"))
        try await store.migrate()
        try await store.database.write { try $0.script("INSERT INTO schema_version (version) VALUES (99)") }
        let error = await #expect(throws: QuernError.self) { try await store.migrate() }
        #expect(error?.code == .unsupported)
    }

    @Test func manyMigrateAtOnce() async throws {
        let url = try await PostgreSQLServer.shared.freshDatabase()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 { group.addTask { try await PostgresJobStore(url: url, connections: 1).migrate() } }
            try await group.waitForAll()
        }
        let store = PostgresJobStore(url: url)
        try await store.migrate()
        #expect(try await store.insert(Sample.job("j")) == JobID(rawValue: "j"))
    }

    /// As a pooler does that gives each transaction another connection.
    @Test func preparedStatementsMayBeLost() async throws {
        let store = PostgresJobStore(url: try await PostgreSQLServer.shared.freshDatabase(), connections: 1)
        try await store.migrate()
        _ = try await store.insert(Sample.job("j", spans: 3))
        let request = SessionRequest(node: "one", slots: 4, memory: 1 << 40, stages: Stage.allCases)
        let session = try await store.openSession(request, expiry: .seconds(45))
        #expect(try await store.claim(session, limit: 1).count == 1)
        try await store.database.write { try $0.script("DEALLOCATE ALL") }
        #expect(try await store.claim(session, limit: 1).count == 1)
        #expect(try await store.claim(session, limit: 9).count == 1)
    }

    /// What a claim under way takes would belong to nobody: the end of its session waits for it.
    @Test func sessionsEndAfterTheirClaims() async throws {
        let url = try await PostgreSQLServer.shared.freshDatabase()
        let store = PostgresJobStore(url: url)
        try await store.migrate()
        let session = try await store.openSession(
            SessionRequest(node: "one", slots: 1, memory: 1 << 40, stages: Stage.allCases), expiry: .seconds(45))
        let (held, hold) = AsyncStream.makeStream(of: Void.self)
        let release = DispatchSemaphore(value: 0)
        let claim = Task {
            try await store.database.write { connection in
                _ = try connection.rows(
                    "SELECT 1 FROM sessions WHERE id = $1 FOR KEY SHARE", [.text(session.rawValue)])
                hold.yield()
                release.wait()
            }
        }
        for await _ in held { break }
        let order = Order()
        let close = Task {
            try await store.closeSession(session)
            await order.add("closed")
        }
        try await Task.sleep(for: .milliseconds(300))
        await order.add("claimed")
        release.signal()
        try await claim.value
        try await close.value
        #expect(await order.events == ["claimed", "closed"])
    }

    private actor Order {
        private(set) var events: [String] = []
        func add(_ event: String) { events.append(event) }
    }

    @Test func coordinatorsHearOfEachOther() async throws {
        let url = try await PostgreSQLServer.shared.freshDatabase()
        let (here, there) = (PostgresJobStore(url: url, connections: 1), PostgresJobStore(url: url, connections: 1))
        try await here.migrate()
        let wakeUps = here.wakeUps()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // At most one of two says that the listener has connected; the other comes from next door.
                var iterator = wakeUps.makeAsyncIterator()
                for _ in 0..<2 { _ = await iterator.next() }
            }
            group.addTask {
                var count = 0
                while !Task.isCancelled {
                    count += 1
                    _ = try await there.insert(Sample.job("j\(count)", spans: 1))
                }
            }
            try await group.next()
            group.cancelAll()
        }
        #expect(try await here.job(JobID(rawValue: "j1")) != nil)
    }

    @Test func serverThatIsAwayIsUnavailableAndNobodyIsReapedForIt() async throws {
        let server = try await PostgreSQLServer(isDurable: true)
        let rig = try await StoreRig.make(onPostgres: try await server.freshDatabase())
        let id = try await rig.store.insert(Sample.job("j", spans: 2))
        let claims = try await rig.store.claim(rig.session(), limit: 2)
        try await rig.loseSilentSessions()

        try await server.stop()
        let error = await #expect(throws: QuernError.self) { _ = try await rig.store.job(id) }
        #expect(error?.code == .unavailable)
        try await server.start()
        #expect(try await retrying { try await rig.store.reap() } == 0)
        try await retrying { try await rig.store.complete(claims[0].lease, Sample.completion("a")) }
        try await rig.advance(by: 46)
        #expect(try await rig.store.reap() == 1)
        #expect(try await rig.store.items(of: id).map(\.state) == [.done, .ready, .blocked])
        try await server.stop()
    }

    @Test func killedConnectionsCostAtMostAnotherTry() async throws {
        let server = try await PostgreSQLServer()
        let store = PostgresJobStore(url: try await server.freshDatabase())
        try await store.migrate()
        let id = try await store.insert(Sample.job("j", spans: 40))
        let request = SessionRequest(node: "one", slots: 1, memory: 1 << 40, stages: Stage.allCases)
        let session = try await store.openSession(request, expiry: .seconds(45))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    while case let claims = try await retrying({ try await store.claim(session, limit: 2) }),
                        !claims.isEmpty
                    {
                        for claim in claims {
                            try await retrying { try await store.complete(claim.lease, Sample.completion("x")) }
                        }
                    }
                }
            }
            group.addTask { for _ in 0..<10 { try await server.killBackends() } }
            try await group.waitForAll()
        }
        // A claim whose answer was lost with its connection is held by nobody who knows; the session gives it back.
        try await retrying { try await store.closeSession(session) }
        let last = try await retrying { try await store.openSession(request, expiry: .seconds(45)) }
        while case let claims = try await retrying({ try await store.claim(last, limit: 9) }), !claims.isEmpty {
            for claim in claims {
                try await retrying { try await store.complete(claim.lease, Sample.completion("x")) }
            }
        }
        #expect(try await store.job(id)?.state == .done)
        try await server.stop()
    }
}

/// Does again what the database was not there for, as clients of a job store do.
private func retrying<T>(_ body: () async throws -> T) async throws -> T {
    for _ in 0..<200 {
        do {
            return try await body()
        } catch let error as QuernError where error.code == .unavailable {
            await Task.yield()
        }
    }
    return try await body()
}
