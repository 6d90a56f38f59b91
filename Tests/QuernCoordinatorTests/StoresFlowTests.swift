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

    /// A list of tensors goes to the manifest, not to each of many groups of chunks.
    @Test(arguments: StoreKind.allCases)
    func evaluationIsSentNoTensors(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let digest = Sample.digest("file")
        let tensor = AssembledTensor(
            name: "t", shape: [32], type: .element(.q8_0), bytes: 34, sha256: digest, error: 0.1)
        func file(_ tensors: [AssembledTensor]) -> WorkResult {
            .assemble(AssembleResult(file: "m.gguf", size: 99, sha256: digest, tensors: tensors))
        }
        let evaluate = EvaluateWork(
            model: ModelReference(path: "/m", files: [], identity: digest),
            candidates: [.init(target: "Q8_0", files: [0])], tokens: 0, chunkTokens: 32, firstChunk: 0,
            maximumChunks: 1, memory: 1)
        let items = [
            Sample.encode(), Sample.encode(after: [0]),
            PlannedItem(payload: .evaluate(evaluate), cost: 1, memory: 1, dependencies: [0], label: "evaluate"),
            Sample.publish(after: [0]),
        ]
        _ = try await rig.store.insert(Sample.job("j", items: items))
        let session = try await rig.session()
        let first = try #require(try await rig.store.claim(session, limit: 1).first)
        try await rig.store.complete(first.lease, Completion(result: file([tensor])))
        let claims = try await rig.store.claim(session, limit: 9).sorted {
            $0.lease.item.ordinal < $1.lease.item.ordinal
        }
        #expect(claims.map(\.inputs) == [[0: file([tensor])], [0: file([])], [0: file([tensor])]])
    }
}
