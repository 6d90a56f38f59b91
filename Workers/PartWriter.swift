import QuernFormats
import QuernKernels
import QuernStore

/// A part in the making. Bytes are appended by one thread; another may commit them.
final class PartWriter: Sendable {
    enum Destination {
        /// A store on this machine.
        case blob(BlobWriter)
        /// Its places in artifact files.
        case files([FilePlace])
        /// For a store elsewhere.
        case memory
    }

    private let destination: Destination
    private let progress: Mutexed<(name: PartNamer, count: UInt64, bytes: [UInt8])>

    init(_ destination: Destination) {
        self.destination = destination
        let isPlaced = if case .files = destination { true } else { false }
        progress = Mutexed((PartNamer(isPlaced: isPlaced), 0, []))
    }

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
            for place in places { try place.write(at: start, bytes) }
        }
        progress.mutate { progress in
            progress.name.update(bytes)
            progress.count += UInt64(bytes.count)
            if case .memory = destination { progress.bytes.append(contentsOf: bytes) }
        }
    }

    /// - Returns: the part's name and size; nothing can be appended after.
    func finish() throws -> (digest: Digest, bytes: UInt64) {
        if let blob { return try blob.finish() }
        return progress.mutate { ($0.name.finish(), $0.count) }
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

/// Names a part by its bytes.
///
/// A part of its own has the sha256 under which it is stored and found again. For one in its place in a file nobody looks
/// by name, and the file and its tensors are hashed when they are read again; until then a checksum tells whether it is
/// still what it was.
struct PartNamer {
    /// Nil for a part in its place.
    private var hasher: SHA256Hasher?
    private var crc32c: UInt32 = 0
    private var count: UInt64 = 0

    init(isPlaced: Bool) {
        hasher = isPlaced ? nil : SHA256Hasher()
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if hasher != nil {
            hasher?.update(bytes)
            return
        }
        crc32c = Kernels.crc32c(bytes, after: crc32c)
        count += UInt64(bytes.count)
    }

    func finish() -> Digest {
        hasher?.finish() ?? Digest(of: Array("part of \(count) bytes, CRC-32C \(crc32c)".utf8))
    }
}
