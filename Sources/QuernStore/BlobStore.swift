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

/// A blob store on this machine, which reads and writes blobs piece by piece. All calls block: they are for threads
/// of one's own, never for the cooperative pool.
public protocol StreamingBlobStore: BlobStore {
    /// Begins a blob whose bytes are not all known yet.
    /// - Throws: `.outOfSpace` or `.io`.
    func makeWriter() throws -> BlobWriter

    /// Stores finished blobs together, which costs hardly more than storing one. Returns once all would survive a
    /// crash; after an error any of them may or may not be there, which does no harm.
    func commit(_ writers: [BlobWriter]) throws

    /// The blob's bytes; see `get`.
    func load(_ digest: Digest) throws -> [UInt8]

    /// Hands the blob's bytes over in pieces, in order. They are known to be right only when the call has returned.
    /// - Parameter checked: false spares the hash where the caller takes one of what it made of the bytes.
    /// - Throws: `.notFound`; `.corrupted` at the latest after the last piece; or what `body` throws.
    func stream(_ digest: Digest, checked: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws
}
