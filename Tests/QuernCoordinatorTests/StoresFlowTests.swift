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

    /// What a job goes on with stands behind what it had, waits for what is not done, and is stored once.
    @Test(arguments: StoreKind.allCases)
    func jobGoesOn(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let first = [Sample.encode(), Sample.encode(label: "slow"), Sample.collect(after: [0])]
        let id = try await store.insert(Sample.job("j", items: first))
        let session = try await rig.session()
        let claims = try await store.claim(session, limit: 9)
        try await store.complete(claims[0].lease, Sample.completion("a"))
        let collect = try #require(try await store.claim(session, limit: 9).first)
        #expect(collect.lease.item.ordinal == 2)

        let artifacts = [PlannedArtifact(target: "Q8_0", files: [.init(name: "other.gguf", bytes: 7)])]
        func rest(_ cost: Int64) -> JobContinuation {
            JobContinuation(
                firstOrdinal: 3,
                items: [
                    Sample.encode(cost: cost, after: [0]), Sample.encode(after: [0, 1]), Sample.publish(after: [3, 4]),
                ], artifacts: artifacts)
        }
        let collected = Completion(result: .collect(CollectResult(costs: Sample.costs)))
        let wrong = JobContinuation(firstOrdinal: 3, items: [Sample.encode(after: [3])], artifacts: [])
        await #expect(throws: QuernError.self) {
            try await store.complete(collect.lease, collected, continuing: wrong, keepingBlobs: false)
        }
        try await store.complete(collect.lease, collected, continuing: rest(20), keepingBlobs: false)
        // A replay, and what is planned once more, change nothing.
        try await store.complete(collect.lease, collected, continuing: rest(90), keepingBlobs: false)
        let job = try #require(try await store.job(id))
        #expect(job.state == .running && job.artifacts == artifacts)
        #expect(
            job.progress
                == .init(items: ["done": 2, "leased": 1, "ready": 1, "blocked": 2], costDone: 11, costTotal: 52))

        let next = try await store.claim(session, limit: 9)
        #expect(next.map(\.lease.item.ordinal) == [3])
        try await store.complete(next[0].lease, Sample.completion("c"))
        try await store.complete(claims[1].lease, Sample.completion("b"))
        for ordinal in [4, 5] {
            let claim = try #require(try await store.claim(session, limit: 9).first)
            #expect(claim.lease.item.ordinal == ordinal)
            try await store.complete(claim.lease, Sample.completion("\(ordinal)"))
        }
        #expect(try await store.job(id)?.state == .done)
    }

    /// Once more at its end because what it is made from was made again, an item brings forth nothing new.
    @Test(arguments: StoreKind.allCases)
    func goesOnOnce(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let id = try await store.insert(Sample.job("j", items: [Sample.encode(), Sample.collect(after: [0])]))
        let session = try await rig.session()
        func next() async throws -> Claim { try #require(try await store.claim(session, limit: 1).first) }
        func rest(_ label: String) -> JobContinuation {
            JobContinuation(
                firstOrdinal: 2, items: [Sample.encode(after: [0], label: label), Sample.publish(after: [2])],
                artifacts: [])
        }
        let collected = Completion(result: .collect(CollectResult(costs: Sample.costs)))
        try await store.complete(try await next().lease, Sample.completion("a"))
        try await store.complete(try await next().lease, collected, continuing: rest("first"), keepingBlobs: false)
        // The part is lost, and comes out otherwise: everything behind it is done again.
        let span = try await next()
        #expect(span.lease.item.ordinal == 2)
        try await store.fail(span.lease, Sample.failure(.lostInput, blobs: [Sample.digest("a")]))
        var ordinals: [Int] = []
        while try await store.job(id)?.state == .running, let claim = try await store.claim(session, limit: 1).first {
            ordinals.append(claim.lease.item.ordinal)
            if case .collect = claim.payload {
                try await store.complete(claim.lease, collected, continuing: rest("second"), keepingBlobs: false)
            } else {
                try await store.complete(claim.lease, Sample.completion("again \(claim.lease.item.ordinal)"))
            }
        }
        #expect(try await store.items(of: id).map(\.label) == ["span", "collect", "first", "manifest.json"])
        #expect(try await store.job(id)?.state == .done)
    }
}
