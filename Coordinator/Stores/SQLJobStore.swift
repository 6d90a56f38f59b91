import QuernFormats
import QuernJobs
import QuernSchemas

/// The job store on a SQL database. Statements are written once; a dialect fills in the few words in which SQLite and
/// PostgreSQL differ. Decisions about single items and jobs are `decide`'s.
///
/// Rows are locked in one order everywhere, so that transactions do not wait for each other in a circle: sessions,
/// then jobs (by id), then work items (by ordinal), then shares. Claims take items without waiting, and completions
/// lock an item before its dependents, whose ordinals are higher.
public struct SQLJobStore<Database: SQLDatabase>: JobStore {
    package let database: Database
    let settings: JobStoreSettings
    let reaperWatch = ReaperWatch()
    let claims = Combiner<ClaimCall, [PickedItem]>(largestBatch: 64)
    let memory = ClaimMemory.Keeper()
    let running = RunningItems()
    let completions = Combiner<CompletionCall, CompletionAnswer>(largestBatch: 64)

    init(database: Database, settings: JobStoreSettings) {
        self.database = database
        self.settings = settings
    }

    public func migrate() async throws {
        try await database.write { [dialect = database.dialect] connection in
            if !dialect.migrationLock.isEmpty { _ = try connection.rows(dialect.migrationLock, []) }
            try connection.script("CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL PRIMARY KEY)")
            let present = try connection.rows("SELECT coalesce(max(version), 0) FROM schema_version", [])
            let version = try present.first.map { try $0.int(0) } ?? 0
            let newest = Migration.all.last?.version ?? 0
            guard version <= newest else {
                throw QuernError(
                    .unsupported, "the job database has schema \(version), this program knows up to \(newest)",
                    remedy: "Use the version of quern that wrote it, or a newer one")
            }
            for migration in Migration.all where migration.version > version {
                try connection.script(migration.common)
                if dialect.isPostgres, !migration.postgres.isEmpty { try connection.script(migration.postgres) }
                try connection.run("INSERT INTO schema_version (version) VALUES ($1)", [.integer(migration.version)])
            }
        }
    }

    public func wakeUps() -> AsyncStream<Void> { database.wakeUps() }

    func write<T: Sendable>(_ body: @escaping @Sendable (JobTransaction) throws -> T) async throws -> T {
        try await database.write { [dialect = database.dialect, settings] connection in
            try body(JobTransaction(connection: connection, dialect: dialect, settings: settings))
        }
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (JobTransaction) throws -> T) async throws -> T {
        try await database.read { [dialect = database.dialect, settings] connection in
            try body(JobTransaction(connection: connection, dialect: dialect, settings: settings))
        }
    }
}

public typealias SQLiteJobStore = SQLJobStore<SQLiteDatabase>

extension SQLJobStore where Database == SQLiteDatabase {
    /// A job store in the file at `path`, which is made where there is none.
    /// - Throws: `QuernError` `.conflict` where another coordinator has the file open.
    public init(path: String, settings: JobStoreSettings = JobStoreSettings()) throws {
        var dialect = SQLDialect.sqlite
        if let clock = settings.clock { dialect.now = clock }
        self.init(database: try SQLiteDatabase(path: path, dialect: dialect), settings: settings)
    }
}
