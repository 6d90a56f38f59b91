import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// The job stores that must all behave alike.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, sqlite, postgres

    var testDescription: String { rawValue }
}

/// A job store of its own for one test, on a clock that the test moves.
final class StoreRig: Sendable {
    let store: any JobStore
    private let setTime: @Sendable (Int64) async throws -> Void
    private let time = ManualTime()
    private let folder: TemporaryFolder?

    static let expiry = Duration.seconds(45)

    private init(
        store: any JobStore, folder: TemporaryFolder? = nil,
        setTime: @escaping @Sendable (Int64) async throws -> Void
    ) {
        self.store = store
        self.folder = folder
        self.setTime = setTime
    }

    static func make(_ kind: StoreKind, settings: JobStoreSettings = .steady) async throws -> StoreRig {
        switch kind {
        case .memory:
            let store = InMemoryJobStore(settings: settings)
            return StoreRig(store: store) { await store.setTime($0) }
        case .sqlite:
            let folder = try TemporaryFolder()
            let store = try SQLiteJobStore(path: folder.path("jobs.sqlite"), settings: settings)
            return try await prepared(store, folder)
        case .postgres:
            return try await make(onPostgres: PostgreSQLServer.shared.freshDatabase(), settings: settings)
        }
    }

    static func make(onPostgres url: String, settings: JobStoreSettings = .steady) async throws -> StoreRig {
        try await prepared(PostgresJobStore(url: url, settings: settings), nil)
    }

    private static func prepared<Database: SQLDatabase>(
        _ store: SQLJobStore<Database>, _ folder: TemporaryFolder?
    ) async throws -> StoreRig {
        try await store.database.write { connection in
            try connection.script("CREATE TABLE manual_clock (time bigint NOT NULL)")
            try connection.script("INSERT INTO manual_clock (time) VALUES (\(ManualTime.start))")
        }
        try await store.migrate()
        return StoreRig(store: store, folder: folder) { time in
            try await store.database.write { connection in
                _ = try connection.run("UPDATE manual_clock SET time = $1", [.integer(time)])
            }
        }
    }

    func advance(by seconds: Double) async throws {
        try await setTime(await time.advance(by: Int64(seconds * 1000)))
    }

    /// Opens a session that can do everything.
    func session(
        node: String = "one", memory: Int64 = 1 << 40, stages: [Stage] = Stage.allCases
    ) async throws -> SessionID {
        try await store.openSession(
            SessionRequest(node: node, slots: 4, memory: memory, stages: stages), expiry: Self.expiry)
    }

    /// Lets time pass until sessions that say nothing are dead, after the reaper has begun to listen.
    func loseSilentSessions() async throws {
        _ = try await store.reap()
        try await advance(by: 46)
    }
}

actor ManualTime {
    static let start: Int64 = 1_800_000_000_000
    private var now = start
    func advance(by milliseconds: Int64) -> Int64 {
        now += milliseconds
        return now
    }
}

extension JobStoreSettings {
    /// Nothing random, no clock but the test's.
    static var steady: JobStoreSettings {
        JobStoreSettings(
            retry: RetryPolicy(seed: 7), longestReaperPause: .seconds(86_400), thoroughInterval: .zero,
            claimMemory: .zero,
            clock: "(SELECT time FROM manual_clock)")
    }
}
