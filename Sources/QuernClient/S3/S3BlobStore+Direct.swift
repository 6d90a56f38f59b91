import QuernFormats
import QuernStore

extension S3BlobStore: DirectBlobStore {
    /// For how long an address is good: some minutes, and less than any grace of blobs that never arrive. S3 looks when
    /// a request begins; one that takes longer leaves an object that nobody knows of, as a crash does.
    private static let seconds = 300

    public func downloadURL(of digest: Digest) async throws -> String {
        try await client.presignedURL("GET", Self.key(of: digest), at: direct, validFor: Self.seconds)
    }

    /// What is signed are length and checksum, so that S3 takes the blob and nothing else, and that it must not be there
    /// yet: on servers that do not look at checksums, a good blob stays as it is.
    public func upload(of digest: Digest, bytes: Int) async throws -> BlobUpload? {
        switch try await find(digest, bytes: bytes) {
        case .blob, .unproven: return nil
        // If that is not allowed S3 will refuse the upload, and the blob comes through the coordinator.
        case .other(let tag): try? await discard(digest, tag: tag)
        case .nothing: break
        }
        let headers = Self.headers(of: digest) + [(name: "If-None-Match", value: "*")]
        let url = try await client.presignedURL(
            "PUT", Self.key(of: digest), headers: headers + [(name: "Content-Length", value: String(bytes))],
            at: direct, validFor: Self.seconds)
        return BlobUpload(
            url: url, headers: Dictionary(headers.map { ($0.name, $0.value) }) { $1 }, seconds: Self.seconds)
    }

    public func confirm(_ digest: Digest, bytes: Int) async throws {
        switch try await find(digest, bytes: bytes) {
        case .blob: return
        case .nothing: throw QuernError(.notFound, "the blob has not arrived", at: digest.hex, remedy: "Send it again")
        case .other(let tag): try? await discard(digest, tag: tag)
        case .unproven:
            // The server knows nothing of checksums. Others have sent the bytes, so they are looked at once.
            do {
                if try await get(digest).count == bytes { return }
            } catch let error as QuernError where error.code == .corrupted {}
        }
        throw QuernError(
            .invalidInput, "what was sent for the blob is something else", at: digest.hex, remedy: "Send it again")
    }
}
