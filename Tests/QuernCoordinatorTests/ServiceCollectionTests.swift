import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// A coordinator that removes blobs, with real files, on a clock that the test moves.
@Suite struct ServiceCollectionTests {
    private static let day = 86_400.0
    private static let bytes = Array("part 0".utf8)

    private func makeRig(_ store: any JobStore) async throws -> ServiceRig {
        try await ServiceRig.make(
            store: store,
            settings: {
                var collection = CoordinatorSettings.Collection()
                collection.interval = .milliseconds(20)
                collection.searchInterval = .zero
                $0.collection = collection
            })
    }

    /// Lets days go by until something has come about.
    private func until(_ time: StoreRig, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<2000 {
            if try await condition() { return }
            try await time.advance(by: 3 * Self.day)
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("did not come about")
    }

    @Test(arguments: [StoreKind.sqlite, .postgres])
    func removesWhatNothingNeeds(_ kind: StoreKind) async throws {
        let time = try await StoreRig.make(kind)
        let rig = try await makeRig(time.store)
        let job = try await rig.submit()
        let header = Digest(of: ServiceRig.header)
        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        let parts = try await rig.coordinator.claim(session, limit: 3, wait: .zero)
        for claim in parts {
            let text = "part \(claim.lease.item.ordinal)"
            try await rig.coordinator.blobs.put(Array(text.utf8))
            try await rig.coordinator.complete(claim.lease, Sample.completion(text))
        }
        // Left by an earlier version, which recorded nothing.
        let stray = try await rig.blobs.put(Array("stray".utf8))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -3600)], ofItemAtPath: rig.path(of: stray))

        let running = Task { try await rig.coordinator.run() }
        defer { running.cancel() }
        try await until(time) { try await !rig.blobs.contains(stray) }
        // The job is not done: all it names is there, and so is what its plan needs.
        for ordinal in 0..<3 { #expect(try await rig.blobs.contains(Sample.digest("part \(ordinal)"))) }
        #expect(try await rig.blobs.contains(header))
        let done = try await rig.finish(job)
        #expect(done.state == .done)
        for digest in [header, Sample.digest("part 0")] {
            try await until(time) { try await !rig.blobs.contains(digest) }
        }
        let lookUp = try await rig.coordinator.lookUp([Sample.digest("key of part 0")])
        #expect(lookUp.isEmpty)
    }

    /// A worker thought dead hands in its result when the blobs it had stored are gone: the item is done again.
    @Test(arguments: [StoreKind.sqlite, .postgres])
    func resultsWhoseBlobsAreGoneAreRefused(_ kind: StoreKind) async throws {
        let time = try await StoreRig.make(kind)
        let rig = try await makeRig(time.store)
        let job = try await rig.submit()
        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        let claim = try #require(try await rig.coordinator.claim(session, limit: 1, wait: .zero).first)
        let error = await #expect(throws: QuernError.self) {
            try await rig.coordinator.complete(claim.lease, Sample.completion("never stored"))
        }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains("is not stored any more") == true)
        let item = try await rig.coordinator.items(of: job.id)[claim.lease.item.ordinal]
        #expect(item.state == .ready)
        #expect(item.lastError?.contains(Sample.digest("never stored").hex) == true)
        // One that is there without a record, as an earlier version leaves it, is as good as any.
        try await time.advance(by: 60)
        let again = try await rig.coordinator.openSession(ServiceRig.worker).session
        let next = try #require(try await rig.coordinator.claim(again, limit: 1, wait: .zero).first)
        try await rig.blobs.put(Self.bytes)
        try await rig.coordinator.complete(next.lease, Sample.completion("part 0"))
        #expect(try await rig.store.keepBlobs([Digest(of: Self.bytes)]).count == 1)
    }

    @Test func whatIsBeingRemovedIsNotStoredNorPromised() async throws {
        let time = try await StoreRig.make(.sqlite)
        let rig = try await makeRig(time.store)
        let digest = try await rig.coordinator.blobs.put(Self.bytes)
        for _ in 0..<2 {
            try await time.advance(by: Self.day + 1)
            _ = try await rig.store.condemnBlobs(BlobRetention(parts: .zero, grace: .seconds(Self.day)))
        }
        #expect(try await rig.blobs.contains(digest))
        #expect(try await !rig.coordinator.blobs.contains(digest))
        let error = await #expect(throws: QuernError.self) { try await rig.coordinator.blobs.put(Self.bytes) }
        #expect(error?.code == .unavailable)
        try await rig.blobs.remove(digest)
        try await rig.store.forgetBlobs([digest])
        #expect(try await rig.coordinator.blobs.put(Self.bytes) == digest)
        #expect(try await rig.coordinator.blobs.contains(digest))
    }
}

extension ServiceRig {
    fileprivate func path(of blob: Digest) -> String {
        let hex = blob.hex
        return folder.path("blobs/sha256/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)")
    }
}
