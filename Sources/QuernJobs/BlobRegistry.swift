import QuernStore

/// What a job store knows of stored blobs, so that those can be removed that nothing needs any more.
///
/// A blob is arriving, live, condemned or deleting. Whoever stores one says so before (`announceBlobs`) and after
/// (`confirmBlobs`). Who is told that one is there says so, too (`keepBlobs`), and so does a completion for all blobs
/// it names: that makes a condemned blob live again. What nobody has asked for lately and no job refers to is
/// condemned, then, if that stays so, deleting: nobody is told any more that it is there, its file goes
/// (`blobsToDelete`), and then its row (`forgetBlobs`).
public protocol BlobRegistry: Sendable {
    /// Says of blobs that are there that they are wanted, so that none of them is removed for a while.
    /// - Returns: those that stay; others are still being written, being removed, or not known.
    func keepBlobs(_ digests: [Digest]) async throws -> Set<Digest>

    /// Says of blobs that they are about to be written.
    /// - Returns: by what to confirm each of them; others are being removed and may be announced again after that.
    func announceBlobs(_ digests: [Digest]) async throws -> [Digest: BlobArrival]

    /// Says of announced blobs that they have been written.
    /// - Returns: those that stay; others were taken for forgotten, and are to be written again.
    func confirmBlobs(_ arrivals: [Digest: BlobArrival]) async throws -> Set<Digest>

    /// Makes blobs known that were found in the store and are not known yet; others stay as they are.
    func registerBlobs(_ digests: [Digest]) async throws

    /// Condemns live blobs, and gives condemned ones up for deletion, and those that never arrived, where `retention` lets them go. Leader's duty.
    /// - Returns: how many of each.
    func condemnBlobs(_ retention: BlobRetention) async throws -> (condemned: Int, deleting: Int)

    /// Up to `limit` blobs whose files are to be removed, each until it is forgotten.
    func blobsToDelete(limit: Int) async throws -> [Digest]

    /// Ends the deletion of blobs whose files are gone, and what is cached about them.
    func forgetBlobs(_ digests: [Digest]) async throws
}

/// Which life of a blob is meant: it may come again after it was removed.
public struct BlobArrival: Sendable, Hashable {
    /// When it began, in milliseconds since 1970 by the store's clock.
    public let time: Int64
    public init(time: Int64) { self.time = time }
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
