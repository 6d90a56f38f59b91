/// A database that runs transactions, one closure each, on threads of its own.
public protocol SQLDatabase: Sendable {
    var dialect: SQLDialect { get }

    /// Runs `body` in a transaction that may write, and commits unless it throws. `body` may run more than once:
    /// where the database could not bring it into line with others, it is rolled back and tried again.
    /// - Throws: what `body` throws; `QuernError` `.unavailable` where the database cannot be reached.
    func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T

    /// Runs `body` on a consistent view that changes nothing.
    func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T

    /// Tells everyone who waits on `wakeUps()`, in this process and in others on the same database, that something
    /// has changed. Cheap: calls that come close together are told as one.
    func signal()

    func wakeUps() -> AsyncStream<Void>

    /// How often the connection to the database has been lost so far.
    var outages: Int { get }
}

/// A connection inside a transaction. Only to be used in the closure that got it.
public protocol SQLConnection {
    /// Runs one statement with parameters `$1`, `$2` …
    func rows(_ sql: String, _ parameters: [SQLValue]) throws -> [SQLRow]
    /// - Returns: the number of rows that were changed.
    @discardableResult
    func run(_ sql: String, _ parameters: [SQLValue]) throws -> Int
    /// Runs statements separated by semicolons, without parameters.
    func script(_ sql: String) throws
}

/// What differs between the databases in the statements of the job store.
public struct SQLDialect: Sendable {
    /// Milliseconds since 1970 by the database's clock.
    var now: String
    /// Appended to a SELECT: locks its rows (of the table `i` where there are several) until the transaction ends.
    let forUpdate: String
    let forUpdateOfI: String
    /// As `forUpdate`, but rows that others hold are left out.
    let forUpdateSkipLocked: String
    /// Keeps a row from being locked for an update, but lets others change what is not its key.
    let forKeyShare: String
    /// A new random text that nobody can guess, once per row.
    let randomID: String
    /// Run at the start of a transaction that a crash of the server may take back after it was acknowledged; nil where
    /// that would not make it faster.
    let relaxedCommit: String?
    /// Run at the start of a migration so that only one process migrates at a time; empty where that is given.
    let migrationLock: String
    /// Whether the statements of `Migration.postgres` are for this database.
    let isPostgres: Bool

    static let sqlite = SQLDialect(
        now: "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
        forUpdate: "", forUpdateOfI: "", forUpdateSkipLocked: "", forKeyShare: "",
        randomID: "lower(hex(randomblob(16)))", relaxedCommit: nil, migrationLock: "", isPostgres: false)

    static let postgres = SQLDialect(
        now: "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint)",
        forUpdate: "FOR UPDATE", forUpdateOfI: "FOR UPDATE OF i", forUpdateSkipLocked: "FOR UPDATE SKIP LOCKED",
        forKeyShare: "FOR KEY SHARE",
        randomID: "replace(CAST(gen_random_uuid() AS text), '-', '')",
        relaxedCommit: "SET LOCAL synchronous_commit = off",
        migrationLock: "SELECT pg_advisory_xact_lock(7310868726895962980)", isPostgres: true)
}

/// `($1, $2), ($3, $4)` for `rows` rows of `columns` values, from parameter `first` on.
func placeholders(rows: Int, columns: Int, from first: Int = 1) -> String {
    (0..<rows).map { row in
        "(" + (0..<columns).map { "$\(first + row * columns + $0)" }.joined(separator: ", ") + ")"
    }.joined(separator: ", ")
}

/// `$2, $3, $4`: `count` parameters from `first` on.
func placeholders(_ count: Int, from first: Int) -> String {
    (first..<first + count).map { "$\($0)" }.joined(separator: ", ")
}
