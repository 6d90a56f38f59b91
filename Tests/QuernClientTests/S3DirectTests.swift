import Foundation
import NIOCore
import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Blobs that others fetch and store by signed addresses, on a server that checks signatures, expiry and checksums.
@Suite(.serialized) struct S3DirectTests {
    private static let bytes: [UInt8] = [1, 2, 3]
    private static let digest = Digest(of: bytes)

    private func send(
        _ upload: BlobUpload, _ bytes: [UInt8], without left: String? = nil, changing: [String: String] = [:]
    ) async throws -> Int {
        let headers = upload.headers.merging(changing) { $1 }.filter { $0.key != left }
        return try await S3Client.send(
            "PUT", upload.url, headers: headers.map { ($0.key, $0.value) }, body: ByteBuffer(bytes: bytes), to: "S3"
        ).status
    }

    private func fetch(_ url: String, range: String? = nil) async throws -> S3Response {
        try await S3Client.send("GET", url, headers: range.map { [("Range", $0)] } ?? [], body: nil, to: "S3")
    }

    @Test func storedAndFetched() async throws {
        let store = try await S3Rig().store()
        let upload = try #require(try await store.upload(of: Self.digest, bytes: 3))
        #expect(upload.seconds == 300 && upload.url.contains("&X-Amz-Expires=300&"))
        let missing = await #expect(throws: QuernError.self) { try await store.confirm(Self.digest, bytes: 3) }
        #expect(missing?.code == .notFound)
        #expect(try await send(upload, Self.bytes) == 200)
        try await store.confirm(Self.digest, bytes: 3)
        #expect(try await store.get(Self.digest) == Self.bytes)
        #expect(try await store.upload(of: Self.digest, bytes: 3) == nil)

        let url = try await store.downloadURL(of: Self.digest)
        let whole = try await fetch(url)
        #expect(whole.status == 200 && Array(whole.body.readableBytesView) == Self.bytes)
        let part = try await fetch(url, range: "bytes=1-2")
        #expect(part.status == 206 && Array(part.body.readableBytesView) == [2, 3])
        #expect(try await fetch(url.replacing("/sha256/", with: "/sha25/")).status == 403)
        #expect(try await fetch(store.downloadURL(of: Digest(of: [9]))).status == 404)
    }

    /// The address stores one blob, once.
    @Test func whatTheAddressDoesNotAllow() async throws {
        let store = try await S3Rig().store()
        let upload = try #require(try await store.upload(of: Self.digest, bytes: 3))
        #expect(try await send(upload, [1, 2, 4]) == 400)
        #expect(try await send(upload, [1, 2]) == 403)
        let checksum = Data(Digest(of: [1, 2, 4]).bytes).base64EncodedString()
        #expect(try await send(upload, [1, 2, 4], changing: ["x-amz-checksum-sha256": checksum]) == 403)
        #expect(try await send(upload, Self.bytes, changing: ["x-amz-meta-note": "x"]) == 403)
        for name in upload.headers.keys { #expect(try await send(upload, Self.bytes, without: name) == 403, "\(name)") }
        #expect(try await !store.contains(Self.digest))
        #expect(try await send(upload, Self.bytes) == 200)
        #expect(try await send(upload, Self.bytes) == 412)
    }

    @Test func addressesExpire() async throws {
        let rig = try await S3Rig()
        let url = try await rig.downloadURL(of: try await rig.store().put(Self.bytes), signed: -290)
        #expect(try await fetch(url).status == 200)
        let old = try await rig.downloadURL(of: Self.digest, signed: -310)
        #expect(try await fetch(old).status == 403)
    }

    /// Damage that S3 can tell is cleared away before a blob is sent.
    @Test(arguments: [[1, 2], [], [1, 2, 3, 4]] as [[UInt8]])
    func whatIsNoBlobMakesRoom(damaged: [UInt8]) async throws {
        let rig = try await S3Rig()
        let store = try rig.store()
        try await rig.overwrite(Self.digest, with: damaged)
        let error = await #expect(throws: QuernError.self) { try await store.confirm(Self.digest, bytes: 3) }
        #expect(error?.code == .invalidInput)
        #expect(try await !store.contains(Self.digest))
        try await rig.overwrite(Self.digest, with: damaged)
        let upload = try #require(try await store.upload(of: Self.digest, bytes: 3))
        #expect(try await send(upload, Self.bytes) == 200)
        try await store.confirm(Self.digest, bytes: 3)
    }

    /// Where S3 tells no checksum the bytes are read before they count.
    @Test func withoutChecksumsBytesAreRead() async throws {
        let rig = try await S3Rig()
        let store = try rig.store()
        try await rig.overwrite(Self.digest, with: Self.bytes)
        try await store.confirm(Self.digest, bytes: 3)
        #expect(rig.requests == ["HEAD", "GET"])
        try await rig.overwrite(Self.digest, with: [1, 2, 4])
        let error = await #expect(throws: QuernError.self) { try await store.confirm(Self.digest, bytes: 3) }
        #expect(error?.code == .invalidInput)
        #expect(try await !store.contains(Self.digest))
    }

    @Test func othersMayReachItElsewhere() async throws {
        let key = S3BlobStore.key(of: Self.digest)
        let environment = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "secretB", "AWS_REGION": "eu-west-1"]
        let amazon = try S3BlobStore(url: "s3://models/x", environment: environment)
        let inHouse = try S3BlobStore(
            url: "s3://models/x?endpoint=http://minio:9000", directEndpoint: "https://s3.example.com",
            environment: environment)
        let url = try await amazon.downloadURL(of: Self.digest)
        #expect(url.hasPrefix("https://models.s3.eu-west-1.amazonaws.com/x/\(key)?X-Amz-Algorithm="))
        #expect(try await inHouse.downloadURL(of: Self.digest).hasPrefix("https://s3.example.com/models/x/\(key)?"))
        #expect(!url.contains("secretB"))
        let error = #expect(throws: QuernError.self) {
            try S3BlobStore(url: "s3://models", directEndpoint: "ftp://x", environment: environment)
        }
        #expect(error?.code == .usage)
    }
}
