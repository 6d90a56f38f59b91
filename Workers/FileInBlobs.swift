import QuernJobs
import QuernStore

/// A file on its way into the store, cut to blobs: each is stored as soon as it is full.
struct FileInBlobs {
    /// Small, because most who read of the file read a little of it.
    private static let blobBytes = 8 << 20

    private let context: StageContext
    private var hasher = SHA256Hasher()
    private var writer: PartWriter?
    /// Bytes in `writer`.
    private var held = 0
    private var digests: [Digest] = []

    init(_ context: StageContext) { self.context = context }

    mutating func append(_ bytes: [UInt8]) throws {
        hasher.update(bytes)
        var done = 0
        while done < bytes.count {
            let open = try writer ?? context.blobs.makeWriter()
            writer = open
            let count = min(bytes.count - done, Self.blobBytes - held)
            try bytes.withUnsafeBytes { try open.append(UnsafeRawBufferPointer(rebasing: $0[done..<done + count])) }
            held += count
            done += count
            if held == Self.blobBytes { try close() }
        }
    }

    private mutating func close() throws {
        guard let writer else { return }
        digests.append(try writer.finish().digest)
        try context.blobs.commit([writer], context.control)
        self.writer = nil
        held = 0
    }

    /// - Returns: the sha256 of the file, and the blobs that, joined, are it; all are safe.
    mutating func finish() throws -> (sha256: Digest, blobs: [Digest]) {
        try close()
        return (hasher.finish(), digests)
    }
}
