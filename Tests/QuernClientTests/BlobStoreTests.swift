import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// What holds for every store of blobs, wherever they lie.
@Suite(.serialized) struct BlobStoreTests {
    enum Kind: CaseIterable, Sendable {
        case folder, pathStyle, virtualHostStyle
    }

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func store(_ kind: Kind) async throws -> any BlobStore {
        switch kind {
        case .folder: try FolderBlobStore(root: folder.path)
        case .pathStyle: try await S3Rig().store()
        case .virtualHostStyle: try await S3Rig(style: .virtual).store()
        }
    }

    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    @Test(arguments: [0, 1, 511, 100_000, (2 << 20) + 5], Kind.allCases)
    func putAndGet(count: Int, kind: Kind) async throws {
        let bytes = bytes(count, seed: UInt64(count))
        let store = try await store(kind)
        let digest = Digest(of: bytes)
        #expect(try await !store.contains(digest))
        #expect(try await store.put(bytes) == digest)
        #expect(try await store.contains(digest))
        #expect(try await store.get(digest) == bytes)
        #expect(try await store.put(bytes) == digest)
        #expect(try await store.get(digest) == bytes)
    }

    @Test(arguments: Kind.allCases) func blobsAreListedAndRemoved(kind: Kind) async throws {
        let store = try #require(try await store(kind) as? any CollectableBlobStore)
        // Shrinks, so that a folder stores it in another form.
        let blobs = [bytes(700, seed: 1), [UInt8](repeating: 5, count: 100_000)]
        for bytes in blobs { try await store.put(bytes) }
        for bytes in blobs {
            let digest = Digest(of: bytes)
            #expect(try await store.digests(beginningWith: digest.bytes[0], olderThan: .zero).contains(digest))
            #expect(try await store.digests(beginningWith: digest.bytes[0], olderThan: .seconds(3600)).isEmpty)
            #expect(try await !store.digests(beginningWith: digest.bytes[0] ^ 1, olderThan: .zero).contains(digest))
            for _ in 0..<2 { try await store.remove(digest) }
            #expect(try await !store.contains(digest))
            #expect(try await !store.digests(beginningWith: digest.bytes[0], olderThan: .zero).contains(digest))
        }
    }

    @Test(arguments: Kind.allCases) func unknownBlobIsNotFound(kind: Kind) async throws {
        let store = try await store(kind)
        let error = await #expect(throws: QuernError.self) { try await store.get(Digest(of: [1])) }
        #expect(error?.code == .notFound)
        #expect(try await !store.contains(Digest(of: [1])))
    }

    @Test(arguments: Kind.allCases) func largestBlobAndOneByteMore(kind: Kind) async throws {
        let store = try await store(kind)
        var bytes = [UInt8](repeating: 7, count: maximumBlobBytes)
        let digest = try await store.put(bytes)
        #expect(try await store.get(digest).count == maximumBlobBytes)
        bytes.append(7)
        let error = await #expect(throws: QuernError.self) { try await store.put(bytes) }
        #expect(error?.code == .invalidInput)
    }

    @Test(arguments: Kind.allCases) func concurrentPutsOfTheSameBlobs(kind: Kind) async throws {
        let blobs = (0..<4).map { bytes(50_000, seed: $0) }
        let stores = [try await store(kind), try await store(kind)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<32 {
                group.addTask {
                    let store = stores[index % 2]
                    let digest = try await store.put(blobs[index % 4])
                    #expect(try await store.get(digest) == blobs[index % 4])
                }
            }
            try await group.waitForAll()
        }
    }
}
