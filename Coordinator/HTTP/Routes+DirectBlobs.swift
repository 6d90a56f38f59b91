import HTTPTypes
import Hummingbird
import QuernFormats
import QuernJobs
import QuernStore

/// Blobs that workers fetch and store where they lie, so that the bytes do not pass through here.
extension CoordinatorRoutes {
    func addDirectBlobRoutes(to blobs: RouterGroup<Context>) {
        blobs.post("{sha256}/offer") { request, context in
            let offer = try await offer(try Self.digest(context), bytes: try await Self.size(in: request))
            return try await jsonResponse(offer)
        }
        blobs.post("{sha256}/confirm") { request, context in
            try await confirm(try Self.digest(context), bytes: try await Self.size(in: request))
            return Response(status: .created)
        }
    }

    func redirect(to digest: Digest, in store: any DirectBlobStore) async throws -> Response {
        let url = try await store.downloadURL(of: digest)
        coordinator.count { $0.blobsSentDirectly += 1 }
        return Response(status: .temporaryRedirect, headers: [.location: url, .cacheControl: "no-store"])
    }

    private static func size(in request: Request) async throws -> Int {
        let bytes = try await request.decodeJSON(Wire.BlobSize.self).bytes
        guard (0...maximumBlobBytes).contains(bytes) else {
            throw QuernError(.usage, "a blob has 0 to \(maximumBlobBytes) bytes", at: "bytes")
        }
        return bytes
    }

    private func offer(_ digest: Digest, bytes: Int) async throws -> Wire.BlobOffer {
        if let store = coordinator.directBlobs {
            let upload = try await store.upload(of: digest, bytes: bytes)
            return Wire.BlobOffer(stored: upload == nil, upload: upload)
        }
        let isStored = try await coordinator.blobs.contains(digest)
        if !isStored { try await requireRoom() }
        return Wire.BlobOffer(stored: isStored, upload: nil)
    }

    private func confirm(_ digest: Digest, bytes: Int) async throws {
        // Whether or not there are such offers now.
        guard let store = coordinator.blobs as? any DirectBlobStore else {
            guard try await coordinator.blobs.contains(digest) else {
                throw QuernError(.notFound, "there is no such blob", at: digest.hex)
            }
            return
        }
        // Where S3 knows nothing of checksums, what was sent is read.
        let permit = try await confirmations.enter()
        defer { withExtendedLifetime(permit) {} }
        try await store.confirm(digest, bytes: bytes)
        coordinator.count { $0.blobBytesReceivedDirectly += bytes }
    }
}

extension HTTPField.Name {
    /// Says that the caller goes where a blob lies.
    static let quernDirect = Self("Quern-Direct")!
}
