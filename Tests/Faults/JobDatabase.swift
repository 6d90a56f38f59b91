import Foundation
import GRDB
import QuernCoordinator
import QuernFormats

/// The job database, looked at beside the coordinators.
enum JobDatabase: Sendable {
    case sqlite(path: String)
    case postgres(PostgresJobStore)

    /// - Parameter database: as `quern coordinator --database` takes it.
    init(_ database: String) {
        self =
            database.hasPrefix("postgres")
            ? .postgres(PostgresJobStore(url: database, connections: 1)) : .sqlite(path: database)
    }

    /// Asks until the database is there to answer, for half a minute.
    func rows(_ sql: String) async throws -> [[SQLValue]] {
        for _ in 0..<300 {
            do { return try await ask(sql) } catch let error as QuernError where error.code == .unavailable {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        return try await ask(sql)
    }

    private func ask(_ sql: String) async throws -> [[SQLValue]] {
        switch self {
        case .postgres(let store):
            return try await store.database.read { try $0.rows(sql, []).map(\.values) }
        case .sqlite(let path):
            // Opened anew each time: a connection that stays would keep a killed coordinator's successor from having
            // to recover the write-ahead log.
            return try await Task.detached {
                do { return try Self.rows(sql, at: path) } catch let error as DatabaseError {
                    // Its disk may be full just now.
                    throw QuernError(.unavailable, "\(error)", at: path)
                }
            }.value
        }
    }

    private static func rows(_ sql: String, at path: String) throws -> [[SQLValue]] {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read { try Row.fetchAll($0, sql: sql).map { $0.databaseValues.map(SQLValue.init) } }
    }
}

extension SQLValue {
    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let number): self = .integer(number)
        case .double(let number): self = .integer(Int64(number))
        case .string(let text): self = .text(text)
        case .blob(let data): self = .text(String(decoding: data, as: UTF8.self))
        }
    }

    /// 0 where it is none.
    var number: Int {
        if case .integer(let number) = self { Int(number) } else { 0 }
    }

    /// Empty where it is none.
    var string: String {
        if case .text(let text) = self { text } else { "" }
    }
}
