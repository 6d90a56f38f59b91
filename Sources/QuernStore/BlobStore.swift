/// Where blobs lie: immutable bytes named by the sha256 of their uncompressed content.
///
/// Nobody but an implementation knows whether that is a folder, a bucket or another process.
public protocol BlobStore: Sendable {
    /// Whether the blob can be had. An answer of true may not be trusted for longer than the store's grace period.
    func contains(_ digest: Digest) async throws -> Bool

    /// Stores `bytes` durably; storing what is there already is cheap and succeeds.
    /// - Returns: the name of the blob, once it would survive a crash.
    /// - Throws: `QuernError` `.outOfSpace`, `.io` or `.unavailable`.
    @discardableResult
    func put(_ bytes: [UInt8]) async throws -> Digest

    /// The blob's bytes, uncompressed and checked against its name.
    /// - Throws: `QuernError` `.notFound`, or `.corrupted` where the stored bytes do not match.
    func get(_ digest: Digest) async throws -> [UInt8]
}

/// The most bytes one blob may hold, uncompressed: 64 MiB.
public let maximumBlobBytes = 64 << 20
