import QuernCoordinator
import QuernFormats
import QuernJobs
import TestSupport
import Testing

/// A job's way from submission to its end, on every store.
@Suite struct StoresFlowTests {
    @Test(arguments: StoreKind.allCases)
    func jobRunsToItsEnd(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let id = try await store.insert(Sample.job("j1", spans: 2))
        #expect(id == JobID(rawValue: "j1"))
        let session = try await rig.session()

        let first = try await store.claim(session, limit: 10)
        #expect(first.map(\.lease.item.ordinal) == [0, 1])
        #expect(first.map(\.attempt) == [1, 1])
        #expect(first.map(\.lease.fence) == [1, 1])
        #expect(Set(first.map(\.lease.id)).count == 2)
        #expect(try await store.claim(session, limit: 10).isEmpty)

        try await store.complete(first[0].lease, Sample.completion("a"))
        let half = try #require(try await store.job(id))
        #expect(half.state == .running)
        #expect(half.progress == .init(items: ["done": 1, "leased": 1, "blocked": 1], costDone: 10, costTotal: 21))
        try await store.complete(first[1].lease, Sample.completion("b"))

        let last = try #require(try await store.claim(session, limit: 1).first)
        #expect(last.payload.stage == .publish)
        #expect(last.inputs == [0: Sample.completion("a").result, 1: Sample.completion("b").result])
        try await store.complete(last.lease, Sample.completion("manifest"))

        let done = try #require(try await store.job(id))
        #expect(done.state == .done)
        #expect(done.finished == ManualTime.start)
        #expect(done.progress == .init(items: ["done": 3], costDone: 21, costTotal: 21))
        #expect(done.artifacts == Sample.job("j1").artifacts)
        #expect(try await store.events(of: id, after: 0).map(\.kind) == [.submitted, .done])
        #expect(try await store.events(of: id, after: 1).map(\.sequence) == [2])
        #expect(try await store.results(of: id, ordinals: [0, 2, 7]).keys.sorted() == [0, 2])
    }
}
