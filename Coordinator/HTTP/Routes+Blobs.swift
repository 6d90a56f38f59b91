import HTTPTypes
import Hummingbird
import NIOCore
import QuernFormats
import QuernStore

extension CoordinatorRoutes {
    func addBlobRoutes(to blobs: RouterGroup<Context>) {
        blobs.get("{sha256}") { request, context in
            let digest = try Self.digest(context)
            if request.headers[.quernDirect] != nil, let store = coordinator.directBlobs {
                return try await redirect(to: digest, in: store)
            }
            return try await blob(digest)
        }
        blobs.head("{sha256}") { _, context in
            let digest = try Self.digest(context)
            guard try await coordinator.blobs.contains(digest) else {
                throw QuernError(.notFound, "there is no such blob", at: digest.hex)
            }
            return Response(status: .ok, headers: Self.headers(digest))
        }
        blobs.put("{sha256}") { request, context in try await store(request, as: try Self.digest(context)) }
        addDirectBlobRoutes(to: blobs)
    }

    static func digest(_ context: Context) throws -> Digest {
        let text = try context.segment("sha256")
        guard let digest = Digest(hex: text) else {
            throw QuernError(.usage, "a blob's name is 64 lower-case hexadecimal digits", at: text)
        }
        return digest
    }

    private static func headers(_ digest: Digest) -> HTTPFields {
        [
            .contentType: "application/octet-stream", .eTag: "\"\(digest.hex)\"",
            .cacheControl: "max-age=31536000, immutable",
        ]
    }

    private func blob(_ digest: Digest) async throws -> Response {
        let permit = try await downloads.enter()
        let bytes = try await coordinator.blobs.get(digest)
        coordinator.count { $0.blobBytesSent += bytes.count }
        return Response(
            status: .ok, headers: Self.headers(digest),
            body: ResponseBody(contentLength: bytes.count) { writer in
                try await writer.write(ByteBuffer(bytes: bytes))
                try await writer.finish(nil)
                withExtendedLifetime(permit) {}
            })
    }

    /// Stores the body under its digest; a body with another digest is refused and leaves nothing.
    private func store(_ request: Request, as digest: Digest) async throws -> Response {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maximumBlobBytes {
            throw HTTPProblem.tooLarge(limit: maximumBlobBytes)
        }
        try await requireRoom()
        let permit = try await uploads.enter()
        defer { withExtendedLifetime(permit) {} }
        let received: Int
        if let store = coordinator.blobs as? any StreamingBlobStore {
            received = try await stream(request, into: store, as: digest)
        } else {
            received = try await gather(request, into: coordinator.blobs, as: digest)
        }
        coordinator.count { $0.blobBytesReceived += received }
        return Response(status: .created)
    }

    func requireRoom() async throws {
        guard coordinator.blobsFillDisk, try await coordinator.disk.used() >= coordinator.settings.uploadLimit else {
            return
        }
        throw QuernError(
            .outOfSpace, "the coordinator's disk is nearly full and takes no more blobs",
            remedy: "Free some space on it; uploads go on by themselves then")
    }

    private func stream(_ request: Request, into store: any StreamingBlobStore, as digest: Digest) async throws -> Int {
        let threads = coordinator.threads
        let writer = try await threads.run { try store.makeWriter() }
        var received = 0
        for try await buffer in request.body {
            received += buffer.readableBytes
            guard received <= maximumBlobBytes else { throw HTTPProblem.tooLarge(limit: maximumBlobBytes) }
            try await threads.run { try buffer.withUnsafeReadableBytes { try writer.append($0) } }
        }
        try await threads.run {
            try Self.check(try writer.finish().digest, is: digest)
            try store.commit([writer])
        }
        return received
    }

    private func gather(_ request: Request, into store: any BlobStore, as digest: Digest) async throws -> Int {
        let buffer = try await request.collectBody(limit: maximumBlobBytes)
        let bytes = Array(buffer.readableBytesView)
        try await coordinator.threads.run { try Self.check(Digest(of: bytes), is: digest) }
        try await store.put(bytes)
        return bytes.count
    }

    private static func check(_ found: Digest, is expected: Digest) throws {
        guard found == expected else {
            throw QuernError(
                .invalidInput, "the body's sha256 is \(found.hex), not the one in the path", at: expected.hex,
                remedy: "Send the blob again")
        }
    }
}
