import CLibPQ
import Foundation
import QuernStore

/// A connection to PostgreSQL. Belongs to one thread.
final class PostgresLink: SQLConnection {
    let handle: PostgresHandle
    /// Names of prepared statements by their text.
    private var prepared: [String: String] = [:]
    private let prepares: Bool

    /// Statements of any length of list would fill the server's memory; those beyond this many are not prepared.
    private static let mostPrepared = 200
    private static let longestPrepared = 4_000

    /// Connects, waiting for it.
    /// - Parameters:
    ///   - url: a libpq connection URI or keyword string.
    ///   - prepares: whether statements that come again are prepared.
    init(url: String, prepares: Bool = true) throws {
        self.prepares = prepares
        let settings: [(String, String)] = [
            ("application_name", "quern"), ("connect_timeout", "5"), ("tcp_user_timeout", "20000"),
            ("client_encoding", "UTF8"), ("dbname", url),
        ]
        let keywords = settings.map { strdup($0.0) }
        let values = settings.map { strdup($0.1) }
        defer { for text in keywords + values { free(text) } }
        let pointer = PQconnectdbParams(
            keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
        guard let handle = PostgresHandle(pointer) else {
            throw PostgresFailure(state: "", message: "out of memory", connectionLost: true)
        }
        guard handle.isUsable else {
            throw PostgresFailure(state: "", message: handle.message, connectionLost: true)
        }
        self.handle = handle
        PQsetNoticeProcessor(self.handle.pointer, { _, _ in }, nil)
        try script(
            """
            SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '30s'; SET statement_timeout = '120s'
            """)
    }

    func rows(_ sql: String, _ parameters: [SQLValue]) throws -> [SQLRow] {
        try execute(sql, parameters) { $0.rows }
    }

    func run(_ sql: String, _ parameters: [SQLValue]) throws -> Int {
        try execute(sql, parameters) { $0.changedRows }
    }

    func script(_ sql: String) throws {
        try check(PQexec(handle.pointer, sql)) { _ in }
    }

    private func execute<T>(
        _ sql: String, _ parameters: [SQLValue], _ read: (borrowing PostgresResult) -> T
    ) throws -> T {
        let texts = parameters.map { strdupOrNil($0.wireText) }
        defer { for text in texts { free(text) } }
        let values = texts.map { UnsafePointer($0) }
        let count = Int32(values.count)
        if let name = try statement(sql) {
            return try check(PQexecPrepared(handle.pointer, name, count, values, nil, nil, 0), read)
        }
        return try check(PQexecParams(handle.pointer, sql, count, nil, values, nil, nil, 0), read)
    }

    /// The name under which `sql` is prepared; nil where it is better not to. It follows from the text: behind a pooler
    /// a connection may have statements of others.
    private func statement(_ sql: String) throws -> String? {
        guard prepares else { return nil }
        if let name = prepared[sql] { return name }
        guard sql.utf8.count <= Self.longestPrepared, prepared.count < Self.mostPrepared else { return nil }
        let name = "quern_\(Digest(of: Array(sql.utf8)).hex.prefix(32))"
        try check(PQprepare(handle.pointer, name, sql, 0, nil)) { _ in }
        prepared[sql] = name
        return name
    }

    @discardableResult
    private func check<T>(_ pointer: OpaquePointer?, _ read: (borrowing PostgresResult) -> T) throws -> T {
        guard let result = PostgresResult(pointer) else {
            throw PostgresFailure(state: "", message: handle.message, connectionLost: !handle.isUsable)
        }
        if let failure = result.failure {
            // The server says why it ends a connection before libpq notices that it has, or has no time to say.
            let isEnd = failure.state.isEmpty || failure.state.hasPrefix("57P") || failure.state == "25P03"
            throw PostgresFailure(
                state: failure.state, message: failure.message, connectionLost: isEnd || !handle.isUsable)
        }
        return read(result)
    }
}

private func strdupOrNil(_ text: String?) -> UnsafeMutablePointer<CChar>? { text.map { strdup($0) } ?? nil }

extension SQLValue {
    /// As PostgreSQL reads it; nil is NULL. Its texts hold no NUL, so neither may ours.
    fileprivate var wireText: String? {
        switch self {
        case .null: nil
        case .integer(let value): String(value)
        case .text(let value): value.contains("\0") ? value.replacing("\0", with: "\u{FFFD}") : value
        }
    }
}
