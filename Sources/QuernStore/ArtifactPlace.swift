import QuernFormats

/// Where finished artifacts land. Whoever sees a file under its name sees all of it.
public protocol ArtifactPlace: Sendable {
    /// Path or URL, for people.
    var path: String { get }

    /// Where a file of the artifacts lies: what `SourcePlace` reads.
    /// - Parameter name: a relative path that stays in the place.
    /// - Throws: `.invalidInput` for any other name.
    func path(of name: String) throws -> String

    /// Stores a small file whole; blocking.
    /// - Throws: `.outOfSpace`, `.io`, `.unavailable`.
    func write(_ bytes: [UInt8], as name: String) throws
}

extension ArtifactFolder: ArtifactPlace {}

/// Artifacts as objects, which are uploaded in parts, seen whole or not at all, and never changed in place.
public protocol ArtifactObjects: ArtifactPlace {
    /// Bytes that an object may have.
    var largestFile: UInt64 { get }

    /// Bytes of the parts in which an object of that size is uploaded.
    func partBytes(_ size: UInt64) -> Int

    /// The same for what lies in a folder below.
    func below(_ folder: String) -> any ArtifactObjects

    /// Finds out early what would make every write fail; leaves nothing behind.
    /// - Throws: `.notFound` where the place is missing, `.unauthorized` where nothing may be written, `.unavailable`.
    func checkWritable() async throws

    /// Begins an object of `size` bytes. What others had begun under this name, and left or still go on with, is thrown
    /// away: whoever begins last is the one who may finish.
    func begin(_ name: String, size: UInt64) async throws -> any ArtifactUpload

    /// A finished object.
    /// - Throws: `.notFound`.
    func open(_ name: String) async throws -> any ArtifactObject
}

/// An object on its way.
public protocol ArtifactUpload: Sendable {
    /// Bytes of each part but the last, which is not longer.
    var partBytes: Int { get }

    /// Stores a part; any number of them may be stored at once. What arrives otherwise than it was sent is refused.
    /// - Parameter index: counts from 0.
    /// - Returns: the digest of the part.
    @discardableResult
    func put(_ bytes: [UInt8], at index: Int) async throws -> Digest

    /// Makes one object of all parts, in the place of any that had the name.
    /// - Throws: `.io` where somebody else has begun the object since.
    func finish() async throws -> any ArtifactObject

    /// Throws all parts away, as well as it can.
    func abandon() async
}

/// A finished file of an artifact, for reading.
public protocol ArtifactReader: Sendable {
    var size: UInt64 { get }

    /// How many bytes are best read at once: few where they are near.
    var pieceBytes: UInt64 { get }

    /// - Parameter range: not longer than a blob may be.
    /// - Throws: `.conflict` where an object is not the one any more that was opened.
    func bytes(_ range: Range<UInt64>) async throws -> [UInt8]
}

/// A finished object, as it was when it was opened.
public protocol ArtifactObject: ArtifactReader {
    /// Removes it, unless another has come in its place.
    func remove() async throws
}
