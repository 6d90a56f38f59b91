import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Synchronization
import TestSupport
import Testing

/// What workers do with addresses that a coordinator has signed.
@Suite(.serialized) struct DirectClientTests {
    private static let bytes = [UInt8](repeating: 3, count: 100_000)
    private static let digest = Digest(of: bytes)

    private func s3(endpoint: String? = nil) async throws -> S3BlobStore {
        try S3BlobStore(
            url: "s3://\(S3Server.bucket)/direct/\(UUID().uuidString)", directEndpoint: endpoint,
            environment: try await S3Server.shared.environment)
    }

    /// A store whose addresses a test may change.
    private struct Bent: DirectBlobStore {
        let store: S3BlobStore
        var download: @Sendable (String) -> String = { $0 }
        var upload: @Sendable (String) -> String = { $0 }

        func contains(_ digest: Digest) async throws -> Bool { try await store.contains(digest) }
        func put(_ bytes: [UInt8]) async throws -> Digest { try await store.put(bytes) }
        func get(_ digest: Digest) async throws -> [UInt8] { try await store.get(digest) }
        func downloadURL(of digest: Digest) async throws -> String { download(try await store.downloadURL(of: digest)) }
        func upload(of digest: Digest, bytes: Int) async throws -> BlobUpload? {
            try await store.upload(of: digest, bytes: bytes).map {
                BlobUpload(url: upload($0.url), headers: $0.headers, seconds: $0.seconds)
            }
        }
        func confirm(_ digest: Digest, bytes: Int) async throws { try await store.confirm(digest, bytes: bytes) }
    }

    /// Counts, and changes the first so many of what comes.
    private final class Counter: Sendable {
        private let seen = Mutex(0)
        var count: Int { seen.withLock { $0 } }
        func change(first: Int, _ change: @escaping @Sendable (String) -> String) -> @Sendable (String) -> String {
            { text in
                let number = self.seen.withLock { seen in
                    seen += 1
                    return seen
                }
                return number <= first ? change(text) : text
            }
        }
    }

    /// Stores a blob and fetches it, `rounds` times another one.
    private func run(
        _ store: any BlobStore, rounds: UInt8 = 1, rest: Duration = .seconds(300), lines: LogLines = LogLines(),
        between: () async throws -> Void = {}
    ) async throws -> [Int] {
        let rig = try await ServiceRig.make(blobStore: { _ in store })
        return try await rig.serve { client in
            let blobs = try HTTPBlobStore(url: client.url, logger: lines.logger, rest: rest)
            for round in 0..<rounds {
                let bytes = Self.bytes + [round]
                let digest = try await blobs.put(bytes)
                try await between()
                #expect(try await blobs.get(digest) == bytes)
                #expect(try await store.get(digest) == bytes)
            }
            return try await rig.counted()
        }
    }

    @Test func pastTheCoordinator() async throws {
        let lines = LogLines()
        #expect(try await run(try await s3(), rounds: 3, lines: lines) == [0, 0, 300_003, 3])
        #expect(lines.count(of: "blobs") == 0)
    }

    @Test(arguments: [0, maximumBlobBytes]) func smallestAndLargest(count: Int) async throws {
        let store = try await s3()
        let rig = try await ServiceRig.make(blobStore: { _ in store })
        try await rig.serve { client in
            let blobs = try HTTPBlobStore(url: client.url)
            let bytes = [UInt8](repeating: 9, count: count)
            for _ in 0..<2 { #expect(try await blobs.get(blobs.put(bytes)) == bytes) }
            #expect(try await rig.counted() == [0, 0, count, 2])
        }
    }

    /// Addresses are good for minutes: whoever comes too late asks again, once.
    @Test(arguments: [1, 2]) func expiredAddressesAreAskedForAgain(expired: Int) async throws {
        let (downloads, uploads) = (Counter(), Counter())
        let old: @Sendable (String) -> String = { url in
            url.replacing(/X-Amz-Date=\d+T\d+Z/, with: "X-Amz-Date=20200101T000000Z")
        }
        let lines = LogLines()
        let counted = try await run(
            Bent(
                store: try await s3(), download: downloads.change(first: expired, old),
                upload: uploads.change(first: expired, old)), lines: lines)
        #expect(downloads.count == 2 && uploads.count == 2)
        #expect(counted == (expired == 1 ? [0, 0, 100_001, 2] : [100_001, 100_001, 0, 2]))
        #expect(lines.count(of: "through the coordinator from now on") == (expired == 1 ? 0 : 2))
        #expect(lines.count(of: "HTTP status 403, AccessDenied") == (expired == 1 ? 0 : 2))
    }

    /// They are tried once in a rest, and all is said once.
    @Test(arguments: [
        ("http://127.0.0.1:1", 300, 1), ("http://127.0.0.1:1", 0, 3), ("http://169.254.169.254", 300, 1),
        ("nowhere", 300, 1),
    ]) func serversThatCannotBeReached(server: String, rest: Int, tries: Int) async throws {
        let endpoint = try await S3Server.shared.endpoint
        let elsewhere: @Sendable (String) -> String = { $0.replacing(endpoint, with: server) }
        let lines = LogLines()
        let counted = try await run(
            Bent(store: try await s3(), download: elsewhere, upload: elsewhere), rounds: 3, rest: .seconds(rest),
            lines: lines)
        #expect(counted == [300_003, 300_003, 0, tries])
        #expect(lines.count(of: "blobs are stored through the coordinator from now on") == 1)
        #expect(lines.count(of: "blobs are fetched through the coordinator from now on") == 1)
        #expect(lines.count(of: "Signature") == 0)
    }

    @Test func itIsTriedAgain() async throws {
        let endpoint = try await S3Server.shared.endpoint
        let (downloads, uploads) = (Counter(), Counter())
        let away: @Sendable (String) -> String = { $0.replacing(endpoint, with: "http://127.0.0.1:1") }
        let lines = LogLines()
        let counted = try await run(
            Bent(
                store: try await s3(), download: downloads.change(first: 1, away),
                upload: uploads.change(first: 1, away)), rounds: 2, rest: .milliseconds(1), lines: lines
        ) { try await Task.sleep(for: .milliseconds(5)) }
        #expect(counted == [100_001, 100_001, 100_001, 2])
        #expect(lines.count(of: "from now on") == 2)
        #expect(lines.count(of: "directly again") == 2)
    }

    /// Sends others to another place than where the blobs are.
    private struct Elsewhere: DirectBlobStore {
        let here: S3BlobStore
        let there: S3BlobStore
        let sendsUploads: Bool

        func contains(_ digest: Digest) async throws -> Bool { try await here.contains(digest) }
        func put(_ bytes: [UInt8]) async throws -> Digest { try await here.put(bytes) }
        func get(_ digest: Digest) async throws -> [UInt8] { try await here.get(digest) }
        func downloadURL(of digest: Digest) async throws -> String { try await there.downloadURL(of: digest) }
        func upload(of digest: Digest, bytes: Int) async throws -> BlobUpload? {
            let upload = try await here.upload(of: digest, bytes: bytes)
            guard sendsUploads, upload != nil else { return upload }
            try await there.remove(digest)
            return try await there.upload(of: digest, bytes: bytes)
        }
        func confirm(_ digest: Digest, bytes: Int) async throws { try await here.confirm(digest, bytes: bytes) }
    }

    @Test func whatGoesElsewhereIsStoredAfterAll() async throws {
        let lines = LogLines()
        let store = Elsewhere(here: try await s3(), there: try await s3(), sendsUploads: true)
        // The second was not sent there any more, so that it is not found there.
        #expect(try await run(store, rounds: 2, lines: lines) == [200_002, 100_001, 0, 2])
        #expect(lines.count(of: "what was sent to S3 is not found there") == 1)
    }

    /// The coordinator has the blob, so it is the way that is wrong.
    @Test(arguments: [nil, [1, 2, 3]] as [[UInt8]?]) func nothingOrOthersAreFetchedElsewhere(other: [UInt8]?)
        async throws
    {
        let lines = LogLines()
        let store = Elsewhere(here: try await s3(), there: try await s3(), sendsUploads: false)
        let counted = try await run(store, rounds: 2, lines: lines) {
            let key = store.there.client.location.prefix + S3BlobStore.key(of: Digest(of: Self.bytes + [0]))
            if let other { try await S3Objects.put(other, to: key) }
        }
        #expect(counted == [0, 200_002, 200_002, 1])
        #expect(lines.count(of: "fetched through the coordinator from now on") == 1)
        #expect(lines.count(of: other == nil ? "HTTP status 404, NoSuchKey" : "is not the blob") == 1)
    }

    /// What is wrong with a stored blob is for the coordinator to find out, who clears it away.
    @Test func damageIsHealed() async throws {
        let store = try await s3()
        let rig = try await ServiceRig.make(blobStore: { _ in store })
        try await rig.serve { client in
            let blobs = try HTTPBlobStore(url: client.url)
            let missing = await #expect(throws: QuernError.self) { try await blobs.get(Self.digest) }
            #expect(missing?.code == .notFound)
            try await blobs.put(Self.bytes)
            let damaged = [UInt8](repeating: 4, count: Self.bytes.count)
            try await S3Objects.put(damaged, to: store.client.location.prefix + S3BlobStore.key(of: Self.digest))
            let error = await #expect(throws: QuernError.self) { try await blobs.get(Self.digest) }
            #expect(error?.code == .corrupted)
            #expect(try await !store.contains(Self.digest))
            try await blobs.put(Self.bytes)
            #expect(try await blobs.get(Self.digest) == Self.bytes)
            #expect(try await rig.counted() == [0, 0, 200_000, 3])
        }
    }

    /// One that knows only of GET, HEAD and PUT.
    @Test func coordinatorsFromBefore() async throws {
        let stored = Mutex<ByteBuffer?>(nil)
        let router = Router()
        router.put("v1/blobs/{sha256}") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            stored.withLock { $0 = body }
            return HTTPResponse.Status.created
        }
        router.get("v1/blobs/{sha256}") { _, _ in stored.withLock { $0 ?? ByteBuffer() } }
        try await Application(router: router).test(.live) { client in
            let blobs = try HTTPBlobStore(url: "http://127.0.0.1:\(try #require(client.port))")
            #expect(try await blobs.get(blobs.put(Self.bytes)) == Self.bytes)
        }
    }
}
