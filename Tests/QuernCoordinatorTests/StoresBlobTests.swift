import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Synchronization
import TestSupport
import Testing

/// What becomes of the records of blobs, on every store.
@Suite struct StoresBlobTests {
    private static let day = 86_400.0
    private static let retention = BlobRetention(parts: .seconds(7 * day), grace: .seconds(day))
    private static let blob = Sample.digest("a")

    @Test(arguments: StoreKind.allCases)
    func goesAfterTwiceTheGrace(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        #expect(try await store.keepBlobs([Self.blob]) == [])
        try await store.store(Self.blob)
        #expect(try await store.keepBlobs([Self.blob]) == [Self.blob])
        try await rig.advance(by: Self.day)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 0))
        try await rig.advance(by: 1)
        #expect(try await store.condemnBlobs(Self.retention) == (1, 0))
        try await rig.advance(by: Self.day)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 0))
        try await rig.advance(by: 1)
        #expect(try await store.blobsToDelete(limit: 9) == [])
        #expect(try await store.condemnBlobs(Self.retention) == (0, 1))
        #expect(try await store.blobsToDelete(limit: 9) == [Self.blob])
        // Nobody is told of it any more, nor may it be stored until it is gone.
        #expect(try await store.keepBlobs([Self.blob]) == [])
        #expect(try await store.announceBlobs([Self.blob]) == [:])
        try await store.registerBlobs([Self.blob])
        #expect(try await store.blobsToDelete(limit: 9) == [Self.blob])
        try await store.forgetBlobs([Self.blob])
        #expect(try await store.blobsToDelete(limit: 9) == [])
        try await store.store(Self.blob)
        // Forgetting is for blobs whose deletion was begun.
        try await store.forgetBlobs([Self.blob])
        #expect(try await store.keepBlobs([Self.blob]) == [Self.blob])
    }

    /// A put that took so long that its blob was removed, and another put of the same blob is under way.
    @Test(arguments: StoreKind.allCases)
    func aPutIsOnlyConfirmedInItsOwnLife(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let first = try await store.announceBlobs([Self.blob])
        #expect(first.count == 1)
        #expect(try await store.announceBlobs([Self.blob]) == first)
        // Nobody is told of what is still being written, nor may a result name it.
        #expect(try await store.keepBlobs([Self.blob]) == [])
        try await rig.advance(by: Self.day + 1)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 1))
        #expect(try await store.confirmBlobs(first) == [])
        try await store.forgetBlobs([Self.blob])
        #expect(try await store.confirmBlobs(first) == [])
        let second = try await store.announceBlobs([Self.blob])
        #expect(try await store.confirmBlobs(first) == [])
        #expect(try await store.keepBlobs([Self.blob]) == [])
        #expect(try await store.confirmBlobs(second) == [Self.blob])
        #expect(try await store.confirmBlobs(second) == [Self.blob])
        #expect(try await store.keepBlobs([Self.blob]) == [Self.blob])
    }

    @Test(arguments: StoreKind.allCases)
    func staysForWhoAsks(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        try await store.store(Self.blob)
        for _ in 0..<3 {
            try await rig.advance(by: Self.day + 1)
            #expect(try await store.condemnBlobs(Self.retention) == (1, 0))
            // Found again in the store: that is nobody who wants it.
            try await store.registerBlobs([Self.blob])
            try await rig.advance(by: Self.day / 2)
            #expect(try await store.keepBlobs([Self.blob]) == [Self.blob])
            try await rig.advance(by: Self.day / 2 + 2)
            #expect(try await store.condemnBlobs(Self.retention) == (0, 0))
        }
    }

    @Test(arguments: StoreKind.allCases)
    func staysForTheJobsThatNameIt(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let id = try await store.insert(Sample.job("j", spans: 2))
        let session = try await rig.session()
        let claims = try await store.claim(session, limit: 2)
        try await store.store(Self.blob)
        try await store.store(Sample.digest("b"))
        try await store.complete(claims[0].lease, Sample.completion("a"), continuing: nil, keepingBlobs: true)
        try await store.control(id, .cancel)
        try await rig.advance(by: 30 * Self.day)
        // What nobody named is condemned and goes; what a job names that may be tried again does not.
        #expect(try await store.condemnBlobs(Self.retention) == (1, 0))
        try await rig.advance(by: 2 * Self.day)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 1))
        #expect(try await store.blobsToDelete(limit: 9) == [Sample.digest("b")])
        #expect(try await store.lookUp([Sample.digest("key of a")]).count == 1)
    }

    @Test(arguments: StoreKind.allCases)
    func partsOfDoneJobsStayForOthersForAWhile(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        _ = try await store.insert(Sample.job("j", items: [Sample.encode()]))
        let claim = try #require(try await store.claim(try await rig.session(), limit: 1).first)
        try await store.store(Self.blob)
        try await store.complete(claim.lease, Sample.completion("a"), continuing: nil, keepingBlobs: true)
        #expect(try await store.job(JobID(rawValue: "j"))?.state == .done)
        try await rig.advance(by: 6 * Self.day)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 0))
        try await rig.advance(by: Self.day + 1)
        #expect(try await store.condemnBlobs(Self.retention) == (1, 0))
        try await rig.advance(by: Self.day + 1)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 1))
        try await store.forgetBlobs(try await store.blobsToDelete(limit: 9))
        #expect(try await store.lookUp([Sample.digest("key of a")]).isEmpty)
    }

    /// The grace may be shorter than the work that relies on it.
    @Test(arguments: StoreKind.allCases)
    func staysForItemsClaimedBefore(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        _ = try await store.insert(Sample.job("j", items: [Sample.encode()]))
        let session = try await rig.session()
        let claim = try #require(try await store.claim(session, limit: 1).first)
        try await rig.advance(by: 1)
        try await store.store(Self.blob)
        try await rig.advance(by: 2 * Self.day)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 0))
        try await store.release(claim.lease)
        #expect(try await store.condemnBlobs(Self.retention) == (1, 0))
    }

    @Test(arguments: StoreKind.allCases)
    func aResultKeepsItsBlobs(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let id = try await store.insert(Sample.job("j", spans: 1))
        let claim = try #require(try await store.claim(try await rig.session(), limit: 1).first)
        await #expect(throws: UnkeptBlobs(digests: [Self.blob])) {
            try await store.complete(claim.lease, Sample.completion("a"), continuing: nil, keepingBlobs: true)
        }
        #expect(try await store.items(of: id)[0].state == .leased)
        #expect(try await store.lookUp([Sample.digest("key of a")]).isEmpty)
        try await store.store(Self.blob)
        for _ in 0..<2 {
            // The second time it is a replay.
            try await store.complete(claim.lease, Sample.completion("a"), continuing: nil, keepingBlobs: true)
        }
        #expect(try await store.items(of: id)[0].state == .done)
        // Where nobody keeps a record, none is asked for.
        let other = try await store.insert(Sample.job("k", items: [Sample.encode()]))
        let next = try #require(
            try await store.claim(try await rig.session(), limit: 9).first { $0.lease.item.job == other })
        try await store.complete(next.lease, Sample.completion("unknown"))
        #expect(try await store.keepBlobs([Sample.digest("unknown")]) == [])
    }

    /// A blob that was condemned between its upload and the completion that names it stays all the same.
    @Test(arguments: StoreKind.allCases)
    func aResultRevivesWhatIsCondemned(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        _ = try await store.insert(Sample.job("j", spans: 1))
        try await store.store(Self.blob)
        try await rig.advance(by: Self.day + 1)
        #expect(try await store.condemnBlobs(Self.retention) == (1, 0))
        let claim = try #require(try await store.claim(try await rig.session(), limit: 1).first)
        try await store.complete(claim.lease, Sample.completion("a"), continuing: nil, keepingBlobs: true)
        try await rig.advance(by: Self.day + 1)
        #expect(try await store.condemnBlobs(Self.retention) == (0, 0))
    }

    /// Workers store, complete and reuse blobs while three collectors condemn, and one removes, what they may, and time runs fast: what
    /// somebody was told to be there while holding an item is there, and so is what a running job names.
    @Test(arguments: [StoreKind.sqlite, .postgres])
    func nothingIsRemovedThatSomebodyCountsOn(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        let store = rig.store
        let folder = try TemporaryFolder()
        let files = try FolderBlobStore(root: folder.path("blobs"), durability: .process)
        let blobs = TrackedBlobStore(files, registry: store)
        let removed = Tally(0)
        let rounds = 90
        _ = try await store.insert(Sample.job("open", spans: 4 * rounds))
        let running = Tally(4)

        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    defer { running.add(-1) }
                    var random = SeededGenerator(seed: UInt64(worker))
                    for round in 0..<rounds {
                        var session = try await rig.session()
                        var claims = try await store.claim(session, limit: 1)
                        while claims.isEmpty {
                            // Time runs so fast that the session has expired.
                            session = try await rig.session()
                            claims = try await store.claim(session, limit: 1)
                        }
                        let claim = claims[0]
                        // A few contents that come again and again, and are collected in between.
                        let text = "content \(Int.random(in: 0..<16, using: &random))"
                        let digest = Sample.digest(text)
                        while true {
                            do {
                                if try await !blobs.contains(digest) { try await blobs.put(Array(text.utf8)) }
                                break
                            } catch let error as QuernError where error.code == .unavailable {
                                await Task.yield()
                            }
                        }
                        // Long enough for a collector to do all it does.
                        try await Task.sleep(for: .milliseconds(round % 4))
                        #expect(try await files.contains(digest), "worker \(worker), round \(round)")
                        if round % 3 == 0 {
                            try await store.complete(
                                claim.lease, Sample.completion(text), continuing: nil, keepingBlobs: true)
                            #expect(try await files.contains(digest), "worker \(worker), round \(round)")
                        } else {
                            #expect(try await files.contains(digest), "worker \(worker), round \(round)")
                            try await store.release(claim.lease)
                        }
                        try await store.closeSession(session)
                    }
                }
            }
            for collector in 0..<3 {
                group.addTask {
                    let retention = BlobRetention(parts: .zero, grace: .zero)
                    while running.value > 0 {
                        try await rig.advance(by: 500)
                        _ = try await store.condemnBlobs(retention)
                        // Files are removed by the one that leads.
                        for digest in try await store.blobsToDelete(limit: 9) where collector == 0 {
                            try await files.remove(digest)
                            try await store.forgetBlobs([digest])
                            removed.add(1)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let items = try await store.items(of: JobID(rawValue: "open"))
        let named = try await store.results(of: JobID(rawValue: "open"), ordinals: items.map(\.ordinal))
        #expect(named.count == 4 * rounds / 3)
        for result in named.values {
            for digest in result.blobs { #expect(try await files.contains(digest)) }
        }
        #expect(removed.value > 0)
    }
}

extension JobStore {
    fileprivate func store(_ digest: Digest) async throws {
        let arrivals = try await announceBlobs([digest])
        let confirmed = try await confirmBlobs(arrivals)
        #expect(confirmed == [digest])
    }
}

private final class Tally: Sendable {
    private let count: Mutex<Int>

    init(_ count: Int) { self.count = Mutex(count) }

    var value: Int { count.withLock { $0 } }
    func add(_ change: Int) { count.withLock { $0 += change } }
}
