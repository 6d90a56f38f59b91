import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// Blobs in S3 that go past the coordinator, and what becomes of them where that is not possible.
@Suite(.serialized) struct DirectBlobTests {
    private static let bytes = Array("a blob in S3".utf8)
    private static let digest = Digest(of: bytes)
    private static let path = "/v1/blobs/\(digest.hex)"
    private static let json: HTTPFields = [.contentType: "application/json"]

    private func s3(endpoint: String? = nil) async throws -> S3BlobStore {
        try S3BlobStore(
            url: "s3://\(S3Server.bucket)/direct/\(UUID().uuidString)", directEndpoint: endpoint,
            environment: try await S3Server.shared.environment)
    }

    private func rig(
        _ store: any BlobStore, jobs: (any JobStore)? = nil, settings: (inout CoordinatorSettings) -> Void = { _ in }
    ) async throws -> ServiceRig {
        try await ServiceRig.make(store: jobs, settings: settings, blobStore: { _ in store })
    }

    private func post(
        _ client: any TestClientProtocol, _ call: String, bytes: Int = bytes.count, lease: Lease? = nil
    ) async throws -> TestResponse {
        var headers = Self.json
        if let token = lease?.token { headers[.authorization] = "Bearer \(token)" }
        return try await client.execute(
            uri: "\(Self.path)/\(call)", method: .post, headers: headers,
            body: ByteBuffer(string: "{\"bytes\": \(bytes)}"))
    }

    private func problem(
        _ status: Int, _ client: any TestClientProtocol, _ call: String, bytes: Int = bytes.count, lease: Lease? = nil
    ) async throws -> Problem {
        try await post(client, call, bytes: bytes, lease: lease).problem(status)
    }

    // MARK: Routes

    @Test func offeredSentConfirmedAndFetched() async throws {
        let rig = try await rig(try await s3()) { $0.collection = .init() }
        try await rig.route { client in
            let offer = try await post(client, "offer").json(Wire.BlobOffer.self)
            let upload = try #require(offer.upload)
            #expect(!offer.stored)
            #expect(try await problem(404, client, "confirm").code == .notFound)
            let sent = try await S3Client.send(
                "PUT", upload.url, headers: upload.headers.map { ($0.key, $0.value) },
                body: ByteBuffer(bytes: Self.bytes), to: "S3")
            #expect(sent.status == 200)
            // It does not count before it is confirmed.
            #expect(try await rig.store.keepBlobs([Self.digest]).isEmpty)
            for _ in 0..<2 { #expect(try await post(client, "confirm").status == .created) }
            #expect(try await rig.store.keepBlobs([Self.digest]) == [Self.digest])
            let again = try await post(client, "offer").json(Wire.BlobOffer.self)
            #expect(again.stored && again.upload == nil)

            let whole = try await client.execute(uri: Self.path, method: .get)
            #expect(whole.status == .ok && whole.bytes == Self.bytes)
            let sign = try await client.execute(
                uri: Self.path, method: .get, headers: [HTTPField.Name("Quern-Direct")!: "yes"])
            #expect(sign.status == .temporaryRedirect && sign.bytes.isEmpty)
            #expect(sign.headers[.cacheControl] == "no-store")
            let url = try #require(sign.headers[.location])
            let fetched = try await S3Client.send("GET", url, headers: [], body: nil, to: "S3")
            #expect(Array(fetched.body.readableBytesView) == Self.bytes)
        }
    }

    /// Somebody else may have sent it, or a worker that died before it said so.
    @Test func whatIsThereIsTakenOver() async throws {
        let store = try await s3()
        let rig = try await rig(store) { $0.collection = .init() }
        try await store.put(Self.bytes)
        try await rig.route { client in
            let offer = try await post(client, "offer").json(Wire.BlobOffer.self)
            #expect(offer.stored)
            #expect(try await rig.store.keepBlobs([Self.digest]) == [Self.digest])
        }
    }

    @Test func otherBytesAreRefused() async throws {
        let store = try await s3()
        let rig = try await rig(store) { $0.collection = .init() }
        let prefix = store.client.location.prefix
        try await rig.route { client in
            // No checksum goes with it, as on a server that knows none.
            for other in [[1, 2, 3], [UInt8](repeating: 7, count: Self.bytes.count)] as [[UInt8]] {
                try await S3Objects.put(other, to: prefix + S3BlobStore.key(of: Self.digest))
                #expect(try await problem(422, client, "confirm").code == .invalidInput)
                #expect(try await client.execute(uri: Self.path, method: .head).status == .notFound)
            }
        }
    }

    @Test(arguments: ["offer", "confirm"]) func sizesThatAreNone(call: String) async throws {
        let rig = try await rig(try await s3())
        try await rig.route { client in
            for bytes in [-1, maximumBlobBytes + 1] {
                #expect(try await problem(400, client, call, bytes: bytes).location == "bytes")
            }
            let body = try await client.execute(uri: "\(Self.path)/\(call)", method: .post, headers: Self.json)
            #expect(try body.problem(400).code == .usage)
            let name = try await client.execute(
                uri: "/v1/blobs/abc/\(call)", method: .post, headers: Self.json,
                body: ByteBuffer(string: "{\"bytes\": 1}"))
            #expect(try name.problem(400).location == "abc")
        }
    }

    @Test func aFolderOffersNoOtherWay() async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            let offer = try await post(client, "offer").json(Wire.BlobOffer.self)
            #expect(!offer.stored && offer.upload == nil)
            #expect(try await problem(404, client, "confirm").code == .notFound)
            try await rig.blobs.put(Self.bytes)
            #expect(try await post(client, "offer").json(Wire.BlobOffer.self).stored)
            #expect(try await post(client, "confirm").status == .created)
            let get = try await client.execute(
                uri: Self.path, method: .get, headers: [HTTPField.Name("Quern-Direct")!: "yes"])
            #expect(get.status == .ok && get.bytes == Self.bytes)
        }
        let full = try await ServiceRig.make { $0.uploadLimit = 0 }
        try await full.route { client in
            let problem = try await problem(507, client, "offer")
            #expect(problem.code == .outOfSpace)
        }
    }

    @Test func itCanBeSwitchedOff() async throws {
        let rig = try await rig(try await s3()) { $0.directBlobs = false }
        try await rig.serve { client in
            let blobs = try HTTPBlobStore(url: client.url)
            #expect(try await blobs.get(blobs.put(Self.bytes)) == Self.bytes)
            #expect(try await rig.counted() == [Self.bytes.count, Self.bytes.count, 0, 0])
        }
    }

    /// Of an item's inputs alone there are addresses, and for as long as its lease holds.
    @Test func addressesAreForHoldersOfLeases() async throws {
        let store = try await s3()
        let rig = try await rig(store) { $0.expiry = .seconds(3600) }
        let token = try NewAccessToken(name: "worker", scopes: [.work, .read])
        try await rig.store.insertToken(token)
        try await rig.submit()
        try await rig.serve { open in
            let client = try CoordinatorClient(url: open.url, token: token.secret)
            let session = try await client.openSession(ServiceRig.worker).session
            let claims = try await client.claim(session, limit: 3, wait: .zero)
            for claim in claims {
                let access = client.access(
                    under: claim.lease, to: try HTTPBlobStore(url: open.url, token: token.secret))
                try await access.blobs.put(Array("part \(claim.lease.item.ordinal)".utf8))
                try await client.complete(claim.lease, try rig.completion(of: claim))
            }
            _ = try await rig.store.resolve()
            let assemble = try #require(try await client.claim(session, limit: 1, wait: .zero).first)
            let access = client.access(under: assemble.lease, to: try HTTPBlobStore(url: open.url, token: token.secret))
            for bytes in [ServiceRig.header, Array("part 0".utf8)] {
                #expect(try await access.blobs.get(Digest(of: bytes)) == bytes)
            }
            #expect(try await rig.counted(token: token) == [0, 0, 18, 2])
            try await store.put(Self.bytes)
            try await rig.route { router in
                let headers: HTTPFields = [
                    HTTPField.Name("Quern-Direct")!: "yes", .authorization: "Bearer \(assemble.lease.token ?? "")",
                ]
                let other = try await router.execute(uri: Self.path, method: .get, headers: headers)
                #expect(try other.problem(403).code == .unauthorized)
                #expect(other.headers[.location] == nil)
                for call in ["offer", "confirm"] {
                    #expect(try await problem(401, router, call).code == .unauthorized)
                    #expect(try await problem(409, router, call, lease: claims[0].lease).code == .conflict)
                    #expect(try await post(router, call, lease: assemble.lease).status.code < 300)
                }
            }
        }
    }

    /// What was offered and came, but of which nobody has said so, goes as what a dead writer leaves.
    @Test func whatIsNeverConfirmedIsCollected() async throws {
        let time = try await StoreRig.make(.sqlite)
        let store = try await s3()
        let rig = try await rig(store, jobs: time.store) {
            var collection = CoordinatorSettings.Collection()
            collection.interval = .milliseconds(20)
            $0.collection = collection
        }
        try await rig.route { client in _ = try await post(client, "offer") }
        try await store.put(Self.bytes)
        let running = Task { try await rig.coordinator.run() }
        defer { running.cancel() }
        for _ in 0..<2000 where try await store.contains(Self.digest) {
            try await time.advance(by: 86_401)
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(try await !store.contains(Self.digest))
    }
}

extension ServiceRig {
    /// Bytes received and sent, bytes that went past the coordinator, and downloads that did.
    /// - Parameter token: where one is asked for.
    func counted(token: NewAccessToken? = nil) async throws -> [Int] {
        let headers: HTTPFields = token.map { [.authorization: "Bearer \($0.secret)"] } ?? [:]
        let text = try await route { try await $0.execute(uri: "/metrics", method: .get, headers: headers).text }
        return [
            "blob_received_bytes_total", "blob_sent_bytes_total", "blob_received_direct_bytes_total",
            "blobs_sent_direct_total",
        ].map { name in
            let line = text.split(separator: "\n").first { $0.hasPrefix("quern_\(name) ") }
            return line.flatMap { Int($0.split(separator: " ")[1]) } ?? -1
        }
    }
}
