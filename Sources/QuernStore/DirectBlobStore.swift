/// A blob store that can let others fetch and store blobs where they lie, so that the bytes do not pass through it.
public protocol DirectBlobStore: BlobStore {
    /// An address from which whoever has it can fetch the blob within the next minutes. Nobody looks whether it is there.
    /// - Throws: `.unauthorized` or `.unavailable` where there is nothing to sign with.
    func downloadURL(of digest: Digest) async throws -> String

    /// Lets the blob be stored by others.
    /// - Parameter bytes: of the blob: 0 to `maximumBlobBytes`.
    /// - Returns: how to send it; nil where it is there.
    /// - Throws: as `put`.
    func upload(of digest: Digest, bytes: Int) async throws -> BlobUpload?

    /// Takes note of a blob that others have sent. Once that returns it is stored, as after `put`.
    /// - Throws: `.notFound` where it has not come, `.invalidInput` where something else has, which is thrown away.
    func confirm(_ digest: Digest, bytes: Int) async throws
}

/// A PUT request that stores one blob, and nothing else.
public struct BlobUpload: Sendable, Codable, Equatable {
    public let url: String
    /// To be sent exactly so, beside those of any request (`Host`, `Content-Length`).
    public let headers: [String: String]
    /// For how long the request may be sent.
    public let seconds: Int

    public init(url: String, headers: [String: String], seconds: Int) {
        self.url = url
        self.headers = headers
        self.seconds = seconds
    }
}
