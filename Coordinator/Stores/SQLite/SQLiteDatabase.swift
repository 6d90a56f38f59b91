import Foundation
import GRDB
import QuernFormats

/// A job database in one file, for one coordinator at a time: write-ahead log, every commit on the disk before it
/// is acknowledged, one writer, readers beside it.
public final class SQLiteDatabase: SQLDatabase {
    public let dialect: SQLDialect
    private let pool: DatabasePool
    private let wakers = WakeUps()
    private let lock: FileLock

    /// Opens the file at `path`, or makes it; its folder must exist.
    /// - Throws: `QuernError` `.conflict` where another coordinator has it open.
    init(path: String, dialect: SQLDialect) throws {
        self.dialect = dialect
        lock = try FileLock(path: path + ".lock", purpose: path)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
        } catch let error as DatabaseError {
            throw QuernError(error).located(in: path)
        }
    }

    public func write<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        do {
            return try await pool.write { try body(SQLiteConnection(database: $0)) }
        } catch let error as DatabaseError {
            throw QuernError(error).located(in: pool.path)
        }
    }

    public func read<T: Sendable>(_ body: @escaping @Sendable (any SQLConnection) throws -> T) async throws -> T {
        do {
            return try await pool.read { try body(SQLiteConnection(database: $0)) }
        } catch let error as DatabaseError {
            throw QuernError(error).located(in: pool.path)
        }
    }

    public func signal() { wakers.signal() }

    public func wakeUps() -> AsyncStream<Void> { wakers.stream() }

    public var outages: Int { 0 }
}

/// GRDB's connection with numbered parameters: SQLite numbers `?1` but names `$1`.
private struct SQLiteConnection: SQLConnection {
    let database: Database

    func rows(_ sql: String, _ parameters: [SQLValue]) throws -> [SQLRow] {
        let statement = try prepared(sql, parameters)
        var answer: [SQLRow] = []
        let cursor = try Row.fetchCursor(statement)
        while let row = try cursor.next() {
            answer.append(SQLRow(values: row.databaseValues.map { SQLValue($0) }))
        }
        return answer
    }

    func run(_ sql: String, _ parameters: [SQLValue]) throws -> Int {
        try prepared(sql, parameters).execute()
        return database.changesCount
    }

    func script(_ sql: String) throws { try database.execute(sql: sql) }

    private func prepared(_ sql: String, _ parameters: [SQLValue]) throws -> Statement {
        let statement = try database.cachedStatement(sql: sql.replacing("$", with: "?"))
        statement.setUncheckedArguments(StatementArguments(parameters.map(\.bound)))
        return statement
    }
}

extension SQLValue {
    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let integer): self = .integer(integer)
        case .double(let number): self = .integer(Int64(number))
        case .string(let text): self = .text(text)
        case .blob(let data): self = .text(String(decoding: data, as: UTF8.self))
        }
    }

    fileprivate var bound: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .text(let value): value.databaseValue
        }
    }
}

extension QuernError {
    fileprivate init(_ error: DatabaseError) {
        let message = error.message ?? "the job database reports error \(error.resultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.unavailable, "the job database is busy", remedy: "Try again")
        case .SQLITE_FULL:
            self.init(.outOfSpace, message, remedy: "Free some disk space and try again")
        case .SQLITE_CORRUPT:
            // SQLite says so of a sound file too, when the disk fails to read it (EIO).
            self.init(
                .corrupted, "the job database cannot be read: \(message)",
                remedy: "See whether the system log tells of errors of the disk, and stop the coordinator and let "
                    + "sqlite3 do 'PRAGMA integrity_check'; only if that finds errors is the file damaged")
        case .SQLITE_NOTADB:
            self.init(.corrupted, message, remedy: "Put the file aside; jobs can be submitted anew")
        case .SQLITE_CANTOPEN, .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            self.init(.io, message, remedy: "Check free space and permissions there")
        default:
            self.init(.internalFault, message)
        }
    }
}
