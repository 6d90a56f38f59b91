import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// A coordinator that moves ended jobs out of the way, on a clock that the test moves.
@Suite struct ServiceHistoryTests {
    @Test(arguments: [StoreKind.sqlite, .postgres])
    func movesJobsThatAreOver(_ kind: StoreKind) async throws {
        let time = try await StoreRig.make(kind)
        let rig = try await ServiceRig.make(store: time.store) { $0.historyAge = .milliseconds(20) }
        let job = try await rig.submit()
        let record = try await rig.finish(job)
        let artifacts = try await rig.coordinator.artifacts(of: job.id)
        #expect(artifacts.allSatisfy { $0.sha256 != nil })
        let running = Task { try await rig.coordinator.run() }
        defer { running.cancel() }
        for _ in 0..<2000 where try await time.number("SELECT count(*) FROM work_items_history") < 5 {
            try await time.advance(by: 1)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(try await time.number("SELECT count(*) FROM work_items") == 0)
        #expect(try await rig.coordinator.artifacts(of: job.id) == artifacts)
        #expect(try await rig.coordinator.job(job.id).progress.items == record.progress.items)
        #expect(try await rig.coordinator.items(of: job.id).map(\.state) == Array(repeating: .done, count: 5))
    }
}
