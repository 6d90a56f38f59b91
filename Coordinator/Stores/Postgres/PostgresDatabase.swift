import QuernFormats

/// A job database on a PostgreSQL server (12 or newer), shared by any number of coordinators.
public final class PostgresDatabase: SQLDatabase {
    public let dialect: SQLDialect
    private let pool: PostgresPool
    private let listener: PostgresListener
    private let wakers = WakeUps()

    /// Connects when first used.
    init(url: String, connections: Int, dialect: SQLDialect) {
        self.dialect = dialect
        pool = PostgresPool(url: url, connections: connections)
        listener = PostgresListener(url: url, wakers: wakers)
    }

    /// Under READ COMMITTED: statements see what was committed before them, which is what waiting for row locks
    /// and then looking again relies on.
    public func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        try await pool.run { try $0.transaction("BEGIN ISOLATION LEVEL READ COMMITTED", body) }
    }

    public func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        try await pool.run { try $0.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body) }
    }

    public func signal() {
        wakers.signal()
        listener.signal()
    }

    public func wakeUps() -> AsyncStream<Void> { wakers.stream() }

    public var outages: Int { pool.outages }
}

public typealias PostgresJobStore = SQLJobStore<PostgresDatabase>

extension SQLJobStore where Database == PostgresDatabase {
    /// A job store on the server that `url` names: `postgresql://user:password@host:5432/database`, or any other
    /// connection string of libpq. `connections` transactions run at a time; one more connection listens.
    public init(url: String, settings: JobStoreSettings = JobStoreSettings(), connections: Int = 4) {
        var dialect = SQLDialect.postgres
        if let clock = settings.clock { dialect.now = clock }
        let database = PostgresDatabase(url: url, connections: max(connections, 1), dialect: dialect)
        self.init(database: database, settings: settings)
    }
}
