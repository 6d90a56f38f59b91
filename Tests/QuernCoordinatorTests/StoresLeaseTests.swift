import QuernFormats
import QuernJobs
import QuernStore
import Testing

/// What tokens of leases stand on, on every store.
@Suite struct StoresLeaseTests {
    @Test(arguments: StoreKind.allCases) func secretIsMadeOnce(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let secret = try await rig.store.leaseSecret()
        #expect(secret.count == 32)
        #expect(try await rig.store.leaseSecret() == secret)
    }

    @Test(arguments: StoreKind.allCases) func leaseHoldsUntilItIsOver(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let id = try await store.insert(Sample.job("j", spans: 4))
        let leases = try await store.claim(rig.session(), limit: 4).map(\.lease)
        func held() async throws -> [Bool] {
            var held: [Bool] = []
            for lease in leases { held.append(try await store.holds(lease)) }
            return held
        }
        #expect(try await held() == [true, true, true, true])
        let lease = leases[0]
        let wrong = [
            Lease(item: lease.item, id: "guessed", fence: lease.fence),
            Lease(item: lease.item, id: lease.id, fence: lease.fence + 1),
            Lease(item: lease.item, id: lease.id, fence: lease.fence - 1),
            Lease(item: leases[1].item, id: lease.id, fence: lease.fence),
            Lease(item: WorkItemID(job: JobID(rawValue: "none"), ordinal: 0), id: lease.id, fence: lease.fence),
            Lease(item: WorkItemID(job: id, ordinal: 99), id: lease.id, fence: lease.fence),
        ]
        for wrong in wrong { #expect(try await !store.holds(wrong)) }

        try await store.complete(leases[0], Sample.completion("a"))
        try await store.release(leases[1])
        #expect(try await held() == [false, false, true, true])
        // Taken by the reaper, and still welcome; until somebody else has it.
        try await rig.loseSilentSessions()
        #expect(try await store.reap() == 2)
        #expect(try await held() == [false, false, true, true])
        let other = try await rig.session(node: "two")
        while try await !store.claim(other, limit: 1).contains(where: { $0.lease.item == leases[2].item }) {}
        #expect(try await held()[2] == false)
        try await store.control(id, .cancel)
        #expect(try await held() == [false, false, false, false])
    }

    @Test(arguments: StoreKind.allCases) func blobsOfAnItemAreThoseThatItIsTold(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let header = Sample.digest("header")
        let assemble = PlannedItem(
            payload: .assemble(
                AssembleWork(target: "Q8_0", file: "x.gguf", size: 1, header: [header], tensors: [])),
            cost: 1, memory: 1, dependencies: [0], label: "x")
        let id = try await rig.store.insert(
            Sample.job("j", items: [Sample.encode(), Sample.encode(), assemble]))
        func named(_ ordinal: Int) async throws -> Set<Digest> {
            try await rig.store.blobsNamed(by: WorkItemID(job: id, ordinal: ordinal))
        }
        #expect(try await named(0) == [])
        #expect(try await named(2) == [header])
        for claim in try await rig.store.claim(rig.session(), limit: 2) {
            try await rig.store.complete(claim.lease, Sample.completion("part \(claim.lease.item.ordinal)"))
        }
        #expect(try await named(2) == [header, Sample.digest("part 0")])
        #expect(try await named(9) == [])
    }
}
