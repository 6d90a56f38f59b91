import Foundation
import Hummingbird
import HummingbirdTesting
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Testing

@Suite struct RoutesBlobTests {
    private static let bytes = Array("a blob".utf8)
    private static let path = "/v1/blobs/\(Digest(of: bytes).hex)"

    @Test func putHeadGet() async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            #expect(try await client.execute(uri: Self.path, method: .head).status == .notFound)
            let missing = try await client.execute(uri: Self.path, method: .get)
            #expect(try missing.problem(404).code == .notFound)
            for _ in 0..<2 {
                let put = try await client.execute(uri: Self.path, method: .put, body: ByteBuffer(bytes: Self.bytes))
                #expect(put.status == .created)
            }
            #expect(try await client.execute(uri: Self.path, method: .head).status == .ok)
            let get = try await client.execute(uri: Self.path, method: .get)
            #expect(get.bytes == Self.bytes)
            #expect(get.headers[.contentLength] == "\(Self.bytes.count)")
        }
        #expect(try await rig.blobs.get(Digest(of: Self.bytes)) == Self.bytes)
    }

    @Test func emptyBlob() async throws {
        try await ServiceRig.make().route { client in
            let path = "/v1/blobs/\(Digest(of: [UInt8]()).hex)"
            let put = try await client.execute(uri: path, method: .put, body: ByteBuffer())
            #expect(put.status == .created)
            let get = try await client.execute(uri: path, method: .get)
            #expect(get.status == .ok)
            #expect(get.bytes.isEmpty)
        }
    }

    @Test func bodyWithAnotherDigest() async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            let other = Array("another".utf8)
            let response = try await client.execute(uri: Self.path, method: .put, body: ByteBuffer(bytes: other))
            let problem = try response.problem(422)
            #expect(problem.detail.contains(Digest(of: other).hex))
            #expect(try await client.execute(uri: Self.path, method: .head).status == .notFound)
            #expect(try await !rig.blobs.contains(Digest(of: other)))
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: rig.folder.path("blobs/tmp"))
        #expect(left.isEmpty)
    }

    @Test func bodyOverTheLimit() async throws {
        try await ServiceRig.make().route { client in
            let response = try await client.execute(
                uri: Self.path, method: .put, body: ByteBuffer(repeating: 0, count: maximumBlobBytes + 1))
            #expect(try response.problem(413).code == .invalidInput)
        }
    }

    @Test(arguments: ["abc", String(repeating: "A", count: 64), String(repeating: "g", count: 64)])
    func namesThatAreNoDigests(_ name: String) async throws {
        try await ServiceRig.make().route { client in
            for method in [HTTPRequest.Method.get, .put] {
                let response = try await client.execute(uri: "/v1/blobs/\(name)", method: method)
                #expect(try response.problem(400).location == name)
            }
        }
    }

    @Test func nearlyFullDisk() async throws {
        let rig = try await ServiceRig.make { $0.uploadLimit = 0 }
        try await rig.route { client in
            let response = try await client.execute(uri: Self.path, method: .put, body: ByteBuffer(bytes: Self.bytes))
            #expect(try response.problem(507).code == .outOfSpace)
            #expect(response.headers[.retryAfter] == "30")
        }
    }

    /// A store of which a coordinator does not know that it is a folder.
    private struct Elsewhere: BlobStore {
        let store: FolderBlobStore

        func contains(_ digest: Digest) async throws -> Bool { try await store.contains(digest) }
        func put(_ bytes: [UInt8]) async throws -> Digest { try await store.put(bytes) }
        func get(_ digest: Digest) async throws -> [UInt8] { try await store.get(digest) }
    }

    @Test func blobsElsewhereDoNotFillTheDisk() async throws {
        let rig = try await ServiceRig.make(settings: { $0.uploadLimit = 0 }, blobStore: { Elsewhere(store: $0) })
        try await rig.route { client in
            let put = try await client.execute(uri: Self.path, method: .put, body: ByteBuffer(bytes: Self.bytes))
            #expect(put.status == .created)
            #expect(try await client.execute(uri: Self.path, method: .get).bytes == Self.bytes)
            let other = try await client.execute(uri: Self.path, method: .put, body: ByteBuffer(bytes: [1]))
            #expect(try other.problem(422).code == .invalidInput)
        }
    }

    @Test func damagedBlob() async throws {
        let rig = try await ServiceRig.make()
        let digest = try await rig.blobs.put(Self.bytes)
        let hex = digest.hex
        let file = rig.folder.path("blobs/sha256/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)")
        var stored = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        stored[0] ^= 1
        try Data(stored).write(to: URL(fileURLWithPath: file))
        try await rig.route { client in
            let answer2 = try await client.execute(uri: Self.path, method: .get)
            #expect(try answer2.problem(500).code == .corrupted)
            // Found damaged, it is out of the way, and can be stored again.
            let answer3 = try await client.execute(uri: Self.path, method: .get)
            #expect(try answer3.problem(404).code == .notFound)
            let put = try await client.execute(uri: Self.path, method: .put, body: ByteBuffer(bytes: Self.bytes))
            #expect(put.status == .created)
            #expect(try await client.execute(uri: Self.path, method: .get).bytes == Self.bytes)
        }
    }
}
