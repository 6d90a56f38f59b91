import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernSchemas
import TestSupport
import Testing

/// Coordinators from before history beside those that know of it.
@Suite struct StoresUpgradeTests {
    private static let kinds: [StoreKind] = [.sqlite, .postgres]
    private static let age = Duration.seconds(3600)

    /// What a coordinator of schema 3 says, as far as tables are concerned that have changed since.
    private enum Schema3 {
        static let openSession = """
            INSERT INTO sessions (id, node, slots, memory, stages, opened_at, expiry, expires_at, progress)
            VALUES ($1, 'older', 1, 1000000, 'encode,publish', $2, 45000, CAST($2 AS bigint) + 45000, '[]')
            """
        static let heartbeat = """
            UPDATE sessions SET expiry = 45000, expires_at = CAST($2 AS bigint) + 45000, progress = '[]'
            WHERE id = $1 AND ended_at IS NULL
            """
        static let insertJob = """
            INSERT INTO jobs (id, name, state, priority, recipe, artifacts, idempotency_key, item_count, cost_total,
                last_event, created_at)
            VALUES ($1, 'older', 'running', 0, '{}', '[]', NULL, 0, 0, 0, $2) ON CONFLICT DO NOTHING
            """
        static let finish = "UPDATE jobs SET state = 'failed', finished_at = $2, failure = 'x' WHERE id = $1"
        static let retry = "UPDATE jobs SET state = 'running' WHERE id = $1"
    }

    private func makeRig(_ kind: StoreKind) async throws -> StoreRig {
        let rig = try await StoreRig.make(kind)
        #expect(try await rig.store.moveToHistory(endedFor: Self.age, limit: 1) == nil)
        _ = try await rig.store.insert(Sample.job("j", spans: 2))
        try await rig.store.control(JobID(rawValue: "j"), .cancel)
        try await rig.advance(by: 3600)
        return rig
    }

    private func move(_ rig: StoreRig) async throws -> Int? {
        try await rig.store.moveToHistory(endedFor: Self.age, limit: 100)
    }

    /// Nothing moves while somebody talks to a coordinator that would miss it, nor for a while after that.
    @Test(arguments: kinds)
    func olderCoordinatorsAreWaitedFor(_ kind: StoreKind) async throws {
        let rig = try await makeRig(kind)
        let session = try await rig.session()
        let now = "(SELECT time FROM manual_clock)"
        func older(_ statement: String) async throws {
            try await rig.run(
                statement.replacing("$1", with: "'\(session.rawValue)'").replacing("$2", with: now))
        }
        try await rig.advance(by: 10)
        try await older(Schema3.heartbeat)
        #expect(try await move(rig) == nil)
        _ = try await rig.store.heartbeat(session, HeartbeatReport(leases: []), expiry: StoreRig.expiry)
        #expect(try await move(rig) == nil)
        try await rig.advance(by: 3599)
        #expect(try await move(rig) == nil)
        // One that it opened, too.
        try await older(Schema3.openSession.replacing("$1", with: "'its own'"))
        #expect(try await move(rig) == nil)
        try await rig.run("UPDATE sessions SET ended_at = \(now) WHERE id = 'its own'")
        try await rig.advance(by: 3599)
        #expect(try await move(rig) == nil)
        try await rig.advance(by: 1)
        #expect(try await move(rig) == 3)
    }

    /// It would take a job without items for one that is done.
    @Test(arguments: kinds)
    func olderCoordinatorsCannotOpenWhatHasMoved(_ kind: StoreKind) async throws {
        let rig = try await makeRig(kind)
        let retry = Schema3.retry.replacing("$1", with: "'j'")
        #expect(try await move(rig) == 3)
        await #expect(throws: QuernError.self) { try await rig.run(retry) }
        let id = JobID(rawValue: "j")
        #expect(try await rig.store.job(id)?.state == .cancelled)
        #expect(try await rig.store.items(of: id).count == 3)
        try await rig.store.control(id, .retry)
        try await rig.run(retry)
        #expect(try await rig.store.job(id)?.progress.items == ["ready": 2, "blocked": 1])
    }

    /// The tables change under coordinators that are at work, and none of them notices.
    @Test func schemaChangesBesideWork() async throws {
        let url = try await PostgreSQLServer.shared.freshDatabase()
        let older = PostgresJobStore(url: url, connections: 3)
        try await older.database.write { connection in
            try connection.script("CREATE TABLE schema_version (version bigint NOT NULL PRIMARY KEY)")
            for migration in Migration.all.prefix(3) {
                try connection.script(migration.common + migration.postgres)
                try connection.script("INSERT INTO schema_version (version) VALUES (\(migration.version))")
            }
            try connection.run(Schema3.openSession, [.text("s"), .integer(1)])
        }
        // Sessions and jobs in both orders: who locks them in another than the migration may be told to try again.
        let (atWork, begun) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for worker in 0..<3 {
                group.addTask {
                    var rounds = 0
                    // Whoever fails keeps nobody waiting.
                    defer { begun.finish() }
                    while !Task.isCancelled {
                        rounds += 1
                        let (job, time) = (SQLValue.text("\(worker) \(rounds)"), SQLValue.integer(Int64(rounds)))
                        try await older.database.write { connection in
                            if worker == 0 { try connection.run(Schema3.heartbeat, [.text("s"), time]) }
                            try connection.run(Schema3.insertJob, [job, time])
                            try connection.run(Schema3.finish, [job, time])
                            if worker == 1 { try connection.run(Schema3.heartbeat, [.text("s"), time]) }
                        }
                        if rounds == 5 { begun.yield() }
                    }
                    return rounds
                }
            }
            for await _ in atWork.prefix(3) {}
            let newer = PostgresJobStore(url: url)
            try await newer.migrate()
            _ = try await newer.insert(Sample.job("j", spans: 2))
            try await Task.sleep(for: .milliseconds(100))
            group.cancelAll()
            let rounds = try await group.reduce(0, +)
            #expect(try await Self.count(of: "jobs", newer) == rounds + 1)
            #expect(try await Self.count(of: "schema_version", newer) == Migration.all.count)
        }
    }

    private static func count(of table: String, _ store: PostgresJobStore) async throws -> Int {
        let rows = try await store.database.read { try $0.rows("SELECT count(*) FROM \(table)", []) }
        guard case .integer(let count)? = rows.first?.values.first else { return -1 }
        return Int(count)
    }
}
