import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

@Suite struct FolderBlobStoreTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func store(compress: Bool = true) throws -> FolderBlobStore {
        try FolderBlobStore(root: folder.path, compress: compress)
    }

    @Test(arguments: [0, 1, 511, 100_000, (1 << 20) - 1, 1 << 20, (2 << 20) + 5], [false, true])
    func putAndGet(count: Int, shrinks: Bool) async throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let bytes = shrinks ? generator.text(count) : generator.bytes(count)
        let digest = try await store().put(bytes)
        #expect(digest == Digest(of: bytes))
        #expect(try await store().contains(digest))
        #expect(try await store().get(digest) == bytes)
        #expect(files(below: folder.path) == [place(digest, compressed: shrinks && count > 512)])
    }

    @Test func plainFilesHoldTheVeryBytes() async throws {
        let bytes = [UInt8](repeating: 1, count: 5000)
        let digest = try await store(compress: false).put(bytes)
        #expect(FileManager.default.contents(atPath: folder.path(place(digest))) == Data(bytes))
    }

    @Test func unknownBlobIsNotFound() async throws {
        let store = try store()
        let error = await #expect(throws: QuernError.self) { try await store.get(Digest(of: [1])) }
        #expect(error?.code == .notFound)
        #expect(try await !store.contains(Digest(of: [1])))
    }

    @Test(arguments: [1, 4096, 300_000, (1 << 20) + 17])
    func piecesGiveTheSameBlobAsTheWhole(piece: Int) throws {
        var generator = SeededGenerator(seed: 5)
        let bytes = generator.text((2 << 20) + 11)
        let store = try store()
        let writer = try store.makeWriter()
        for start in stride(from: 0, to: bytes.count, by: piece == 1 ? 65_537 : piece) {
            let end = min(start + (piece == 1 ? 65_537 : piece), bytes.count)
            try bytes[start..<end].withUnsafeBytes { try writer.append($0) }
        }
        let (digest, count) = try writer.finish()
        #expect(digest == Digest(of: bytes))
        #expect(count == UInt64(bytes.count))
        try store.commit([writer])
        #expect(try store.load(digest) == bytes)
        var streamed: [UInt8] = []
        try store.stream(digest, checked: true) { streamed.append(contentsOf: $0) }
        #expect(streamed == bytes)
    }

    @Test func writerThatIsDroppedLeavesNothing() throws {
        let store = try store()
        do {
            let writer = try store.makeWriter()
            try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try writer.append($0) }
            _ = try writer.finish()
        }
        #expect(files(below: folder.path).isEmpty)
    }

    @Test func blobsHaveALimit() throws {
        let writer = try store(compress: false).makeWriter()
        let bytes = [UInt8](repeating: 0, count: 32 << 20)
        try bytes.withUnsafeBytes { bytes in
            try writer.append(bytes)
            try writer.append(bytes)
            let error = #expect(throws: QuernError.self) {
                try writer.append(UnsafeRawBufferPointer(rebasing: bytes[..<1]))
            }
            #expect(error?.code == .invalidInput)
        }
    }

    @Test(arguments: [false, true])
    func concurrentPutsOfTheSameBlob(compress: Bool) async throws {
        var generator = SeededGenerator(seed: 6)
        let blobs = (0..<4).map { _ in generator.text(200_000) }
        // Two stores on one folder, as two processes would have.
        let stores = [try store(compress: compress), try store(compress: !compress)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<64 {
                group.addTask {
                    let bytes = blobs[index % 4]
                    let store = stores[index % 2]
                    let digest = try await store.put(bytes)
                    #expect(try await store.get(digest) == bytes)
                }
            }
            try await group.waitForAll()
        }
        #expect(files(below: folder.path("tmp")).isEmpty)
        #expect(files(below: folder.path("damaged")).isEmpty)
    }

    @Test func processDurabilityStoresTheSame() async throws {
        let store = try FolderBlobStore(root: folder.path, compress: false, durability: .process)
        let digest = try await store.put([1, 2, 3])
        #expect(try await store.get(digest) == [1, 2, 3])
    }
}
