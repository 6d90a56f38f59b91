import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// The job stores that must all behave alike.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite

    var testDescription: String { rawValue }
}

/// A job store of its own for one test, on a clock that the test moves.
final class StoreRig: Sendable {
    let store: any JobStore
    private let setTime: @Sendable (Int64) async throws -> Void
    private let time = ManualTime()
    private let cleanUp: @Sendable () -> Void

    static let expiry = Duration.seconds(45)

    private init(
        store: any JobStore, cleanUp: @escaping @Sendable () -> Void = {},
        setTime: @escaping @Sendable (Int64) async throws -> Void
    ) {
        self.store = store
        self.cleanUp = cleanUp
        self.setTime = setTime
    }

    deinit { cleanUp() }

    static func make(_ kind: StoreKind, settings: JobStoreSettings = .steady) async throws -> StoreRig {
        switch kind {
        case .sqlite:
            let folder = FileManager.default.temporaryDirectory.appending(path: "quern-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let store = try SQLiteJobStore(path: folder.appending(path: "jobs.sqlite").path, settings: settings)
            return try await prepared(store) { try? FileManager.default.removeItem(at: folder) }
        }
    }

    private static func prepared<Database: SQLDatabase>(
        _ store: SQLJobStore<Database>, cleanUp: @escaping @Sendable () -> Void = {}
    ) async throws -> StoreRig {
        try await store.database.write { connection in
            try connection.script("CREATE TABLE manual_clock (time bigint NOT NULL)")
            try connection.script("INSERT INTO manual_clock (time) VALUES (\(ManualTime.start))")
        }
        try await store.migrate()
        return StoreRig(store: store, cleanUp: cleanUp) { time in
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
            retry: RetryPolicy(seed: 7), longestReaperPause: .seconds(86_400),
            clock: "(SELECT time FROM manual_clock)")
    }
}
