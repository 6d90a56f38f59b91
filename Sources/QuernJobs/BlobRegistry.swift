import QuernStore

/// What a job store knows of stored blobs, so that those can be removed that nothing needs any more.
///
/// A blob is live, condemned or deleting. Whoever stores one says so before and after (`keepBlobs`), and so does who is
/// told that it is there, and a completion for all blobs it names: that makes a condemned blob live again. What nobody
/// has asked for lately and no job refers to is condemned, then, if that stays so, deleting: nobody is told any more
/// that it is there, its file goes (`blobsToDelete`), and then its row (`forgetBlobs`).
public protocol BlobRegistry: Sendable {
    /// Says that blobs are wanted, so that none of them is removed for a while.
    /// - Parameter adding: whether those that are not known become known.
    /// - Returns: those that stay; others are being removed, or not known.
    func keepBlobs(_ digests: [Digest], adding: Bool) async throws -> Set<Digest>

    /// Makes blobs known that were found in the store and are not known yet; others stay as they are.
    func registerBlobs(_ digests: [Digest]) async throws

    /// Condemns live blobs, and gives condemned ones up for deletion, where `retention` lets them go. Leader's duty.
    /// - Returns: how many of each.
    func condemnBlobs(_ retention: BlobRetention) async throws -> (condemned: Int, deleting: Int)

    /// Up to `limit` blobs whose files are to be removed, each until it is forgotten.
    func blobsToDelete(limit: Int) async throws -> [Digest]

    /// Ends the deletion of blobs whose files are gone, and what is cached about them.
    func forgetBlobs(_ digests: [Digest]) async throws
}

/// How long blobs are kept.
public struct BlobRetention: Sendable, Equatable {
    /// For how long the blobs of a job that is done stay, for other jobs to use. Those of all other jobs stay.
    public var parts: Duration
    /// For how long nobody has asked for a blob before it is condemned, and then again before it is deleted; also never
    /// while an item is leased that was claimed before it was last asked for. At least `shortestGrace`.
    public var grace: Duration

    /// Asking for a blob again within this time may go unrecorded.
    public static let touchInterval = Duration.seconds(300)
    /// The shortest grace that leaves room for a touch that was not recorded and for a transaction under way.
    public static let shortestGrace = Duration.seconds(900)

    public init(parts: Duration, grace: Duration) {
        self.parts = parts
        self.grace = max(grace, Self.shortestGrace)
    }
}

/// A result names blobs that are being removed or not known: whoever hands it in finds out whether they are there.
public struct UnkeptBlobs: Error, Equatable {
    public let digests: Set<Digest>
    public init(digests: Set<Digest>) { self.digests = digests }
}

extension Completion {
    /// All blobs that the result and what is cached with it name.
    public var blobs: Set<Digest> { Set(result.blobs).union(cache.map(\.part.digest)) }
}
