import Foundation
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// What goes wrong with disks and processes.
@Suite struct FolderBlobStoreFaultTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: [false, true])
    func everyFlippedBitIsFoundAndHealed(compressed: Bool) async throws {
        var generator = SeededGenerator(seed: 7)
        let store = try FolderBlobStore(root: folder.path, compress: compressed)
        for _ in 0..<200 {
            let bytes = generator.text(Int.random(in: 2000...4000, using: &generator))
            let digest = try await store.put(bytes)
            let path = folder.path(place(digest, compressed: compressed))
            let size = try #require(FileManager.default.contents(atPath: path)?.count)
            let bit = Int.random(in: 0..<size * 8, using: &generator)
            try flipBit(bit, of: path)
            do {
                // A frame has bits that change nothing; the bytes must be right then.
                #expect(try await store.get(digest) == bytes && compressed)
            } catch let error as QuernError {
                #expect(error.code == .corrupted, "bit \(bit)")
                #expect(error.description.contains(digest.hex) && error.location == path)
                #expect(try await !store.contains(digest))
            }
            #expect(try await store.put(bytes) == digest)
            #expect(try await store.get(digest) == bytes)
        }
    }

    @Test(arguments: [false, true])
    func truncatedBlobIsFound(compressed: Bool) async throws {
        var generator = SeededGenerator(seed: 8)
        let bytes = generator.text(3000)
        let store = try FolderBlobStore(root: folder.path, compress: compressed)
        let digest = try await store.put(bytes)
        let path = folder.path(place(digest, compressed: compressed))
        let whole = try #require(FileManager.default.contents(atPath: path))
        for count in stride(from: 0, to: whole.count, by: 97) {
            try whole.prefix(count).write(to: URL(fileURLWithPath: path))
            let error = await #expect(throws: QuernError.self) { try await store.get(digest) }
            #expect(error?.code == .corrupted, "\(count) bytes")
        }
        #expect(try await store.put(bytes) == digest)
        #expect(try await store.get(digest) == bytes)
    }

    @Test func damageIsNoticedBeforeTheEndOfAStreamIsBelieved() async throws {
        let store = try FolderBlobStore(root: folder.path, compress: false)
        let digest = try await store.put([UInt8](repeating: 3, count: 600_000))
        try flipBit(8 * 599_999, of: folder.path(place(digest)))
        var received = 0
        let error = #expect(throws: QuernError.self) {
            try store.stream(digest, checked: true) { received += $0.count }
        }
        #expect(error?.code == .corrupted)
        #expect(received == 600_000)
    }

    @Test func whatTheReceiverThrowsIsNotHeldAgainstTheBlob() async throws {
        struct Stop: Error {}
        let store = try FolderBlobStore(root: folder.path)
        let digest = try await store.put([1, 2, 3])
        #expect(throws: Stop.self) { try store.stream(digest, checked: true) { _ in throw Stop() } }
        #expect(try await store.get(digest) == [1, 2, 3])
    }

    @Test func tornTemporaryFilesAreNeverBlobsAndGoWhenOld() async throws {
        let store = try FolderBlobStore(root: folder.path)
        let digest = try await store.put([1, 2, 3])
        try folder.write([1, 2], to: "tmp/0123456789abcdef")
        _ = try FolderBlobStore(root: folder.path)
        #expect(files(below: folder.path) == [place(digest), "tmp/0123456789abcdef"])
        let dayBefore = Date(timeIntervalSinceNow: -90_000)
        try FileManager.default.setAttributes(
            [.modificationDate: dayBefore], ofItemAtPath: folder.path("tmp/0123456789abcdef"))
        _ = try FolderBlobStore(root: folder.path)
        #expect(files(below: folder.path) == [place(digest)])
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "needs the right to mount a file system"))
    func fullDisk() async throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        let store = try FolderBlobStore(root: disk.path)
        var generator = SeededGenerator(seed: 9)
        let small = try await store.put(generator.bytes(100_000))
        let big = generator.bytes(2 << 20)
        let error = await #expect(throws: QuernError.self) { try await store.put(big) }
        #expect(error?.code == .outOfSpace)
        // Nothing stays behind, and what fits goes on working.
        #expect(files(below: disk.path) == [place(small)])
        let next = generator.bytes(100_000)
        #expect(try await store.get(try await store.put(next)) == next)
        let usage = try store.diskUsage()
        // A memory disk keeps nothing back.
        #expect(usage.usedBytes + usage.freeBytes == 1 << 20)
        #expect(usage.usedBytes >= 200_000)
        #expect(usage.usedFraction == Double(usage.usedBytes) / Double(1 << 20))
    }
}
