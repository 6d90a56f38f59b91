import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import Synchronization
import TestSupport
import Testing

/// Jobs that end, move to history and are opened again, all at once.
@Suite struct StoresHistoryRaceTests {
    /// Longer than any statement takes here.
    private static let age = Duration.milliseconds(200)
    private static let request = SessionRequest(node: "one", slots: 4, memory: 1 << 40, stages: Stage.allCases)

    /// How long it goes on: longer where the machine has so much else to do that nothing has been over for long.
    private final class Race: Sendable {
        private let begun = ContinuousClock.now
        private let moved = Mutex(0)

        var itemsMoved: Int { moved.withLock { $0 } }
        func add(_ items: Int) { moved.withLock { $0 += items } }

        var goesOn: Bool {
            let passed = ContinuousClock.now - begun
            return passed < .seconds(4) || passed < .seconds(60) && itemsMoved == 0
        }
    }

    @Test(arguments: [StoreKind.sqlite, .postgres])
    func movesGetInNobodysWay(_ kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let settings = JobStoreSettings(suspiciousItems: 1_000_000)
        let store: any JobStore =
            switch kind {
            case .postgres:
                PostgresJobStore(
                    url: try await PostgreSQLServer.shared.freshDatabase(), settings: settings, connections: 6)
            default: try SQLiteJobStore(path: folder.path("jobs.sqlite"), settings: settings)
            }
        try await store.migrate()
        let race = Race()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<3 {
                group.addTask {
                    var random = SeededGenerator(seed: UInt64(number))
                    while race.goesOn { try await Self.work(store, &random) }
                }
            }
            group.addTask {
                var random = SeededGenerator(seed: 9)
                var jobs: [JobID] = []
                while race.goesOn {
                    if jobs.count < 30 {
                        jobs.append(try await store.insert(Sample.job("job \(jobs.count)", spans: 6)))
                    }
                    let action: JobAction = Int.random(in: 0..<4, using: &random) == 0 ? .cancel : .retry
                    let job = jobs[Int.random(in: 0..<jobs.count, using: &random)]
                    try await Self.unlessRefused { try await store.control(job, action) }
                    try await Task.sleep(for: .milliseconds(30))
                }
            }
            group.addTask {
                while race.goesOn {
                    let items = try await store.moveToHistory(endedFor: Self.age, limit: 3) ?? 0
                    race.add(items)
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            try await group.waitForAll()
        }
        #expect(race.itemsMoved > 0)
        try await finish(store)
    }

    /// Takes some work, and mostly does it.
    private static func work(_ store: any JobStore, _ random: inout SeededGenerator) async throws {
        let session = try await store.openSession(request, expiry: .seconds(45))
        let claims = try await store.claim(session, limit: 3)
        if claims.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        for claim in claims {
            let luck = Int.random(in: 0..<10, using: &random)
            try await unlessRefused {
                switch luck {
                case 0, 1: try await store.fail(claim.lease, Sample.failure(.permanent))
                case 2: try await store.release(claim.lease)
                default: try await store.complete(claim.lease, Sample.completion("\(claim.lease.item)"))
                }
            }
        }
        try await store.closeSession(session)
    }

    private static func unlessRefused(_ body: () async throws -> Void) async throws {
        do { try await body() } catch let error as QuernError where error.code == .conflict {}
    }

    /// Opens all again that has not come to its end, and brings it there.
    private func finish(_ store: any JobStore) async throws {
        try await store.closeAllSessions()
        let session = try await store.openSession(Self.request, expiry: .seconds(120))
        for job in try await store.jobs(limit: 100) {
            try await Self.unlessRefused { try await store.control(job.id, .retry) }
        }
        // As long as it takes on a machine that has other things to do, too.
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            let claims = try await store.claim(session, limit: 20)
            for claim in claims {
                try await store.complete(claim.lease, Sample.completion("\(claim.lease.item)"))
            }
            if try await store.jobs(limit: 100).allSatisfy({ $0.state == .done }) { break }
            _ = try await store.resolve()
            if claims.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        }
        for job in try await store.jobs(limit: 100) {
            #expect(job.state == .done, "\(job.id) \(job.progress.items)")
            let items = try await store.items(of: job.id)
            #expect(items.map(\.ordinal) == Array(0..<7))
            #expect(try await store.results(of: job.id, ordinals: Array(0..<7)).count == 7)
        }
    }
}
