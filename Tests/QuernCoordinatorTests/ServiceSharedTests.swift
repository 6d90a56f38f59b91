import QuernCoordinator
import QuernFormats
import QuernJobs
import TestSupport
import Testing

/// Several coordinators on one database.
@Suite(.timeLimit(.minutes(10))) struct ServiceSharedTests {
    /// Two stores on one database, as two processes would have them; SQLite lets only one process in.
    private func stores(_ kind: StoreKind) async throws -> (first: any JobStore, second: any JobStore) {
        guard kind == .postgres else {
            let store = try await StoreRig.make(kind).store
            return (store, store)
        }
        let url = try await PostgreSQLServer.shared.freshDatabase()
        return (PostgresJobStore(url: url), PostgresJobStore(url: url))
    }

    /// Submitted and completed at one, claimed at the other, which nothing but the other's doings ever wakes.
    @Test(arguments: [StoreKind.memory, .postgres]) func twoCoordinators(_ kind: StoreKind) async throws {
        let stores = try await stores(kind)
        let first = try await ServiceRig.make(store: stores.first)
        let second = try await ServiceRig.make(store: stores.second) {
            $0.tick = .seconds(3600)
            $0.longPoll = .seconds(3600)
        }
        let duties = [first, second].map { rig in Task { try await rig.coordinator.run() } }
        defer { for task in duties { task.cancel() } }

        let session = try await second.coordinator.openSession(ServiceRig.worker).session
        let job = try await first.submit(key: "shared")
        #expect(try await second.submit(key: "shared").id == job.id)
        var stages: [Stage] = []
        while stages.last != .publish {
            for claim in try await second.coordinator.claim(session, limit: 1, wait: .seconds(3600)) {
                stages.append(claim.payload.stage)
                let completion = try first.completion(of: claim)
                try await first.coordinator.complete(claim.lease, completion)
                // Repeated at the other one, as after a lost answer.
                try await second.coordinator.complete(claim.lease, completion)
            }
        }
        #expect(stages == [.encode, .encode, .encode, .assemble, .publish])
        #expect(try await second.coordinator.job(job.id).state == .done)
    }
}
