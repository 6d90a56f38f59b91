import QuernFormats
import QuernStore

/// A part in the making. Bytes are appended by one thread; another may commit them.
final class PartWriter: Sendable {
    enum Destination {
        /// A store on this machine.
        case blob(BlobWriter)
        /// Its places in artifact files.
        case files([(file: ArtifactFile, offset: UInt64)])
        /// For a store elsewhere.
        case memory
    }

    private let destination: Destination
    private struct Progress {
        var hasher = SHA256Hasher()
        var count: UInt64 = 0
        var bytes: [UInt8] = []
    }
    private let progress = Mutexed(Progress())

    init(_ destination: Destination) { self.destination = destination }

    var blob: BlobWriter? { if case .blob(let writer) = destination { writer } else { nil } }

    /// - Throws: `.outOfSpace`, `.io`, or `.invalidInput` where the part would grow over `maximumBlobBytes`.
    func append(_ bytes: UnsafeRawBufferPointer) throws {
        if let blob { return try blob.append(bytes) }
        // Only this thread moves it on.
        let start = progress.mutate { $0.count }
        guard start + UInt64(bytes.count) <= UInt64(maximumBlobBytes) else {
            throw QuernError(.invalidInput, "a part holds at most \(maximumBlobBytes) bytes")
        }
        if case .files(let places) = destination {
            for place in places { try place.file.write(at: place.offset + start, bytes) }
        }
        progress.mutate { progress in
            progress.hasher.update(bytes)
            progress.count += UInt64(bytes.count)
            if case .memory = destination { progress.bytes.append(contentsOf: bytes) }
        }
    }

    /// - Returns: the part's name and size; nothing can be appended after.
    func finish() throws -> (digest: Digest, bytes: UInt64) {
        if let blob { return try blob.finish() }
        return progress.mutate { ($0.hasher.finish(), $0.count) }
    }

    /// The bytes of a part in memory, which leave the writer; nil for any other.
    func takeBytes() -> [UInt8]? {
        guard case .memory = destination else { return nil }
        return progress.mutate { progress in
            defer { progress.bytes = [] }
            return progress.bytes
        }
    }
}
