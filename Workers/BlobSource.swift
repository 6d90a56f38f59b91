import QuernFormats
import QuernStore

/// Blobs that, joined, are a file: all of one size, but the last.
struct BlobSource: ByteSource {
    let size: UInt64
    let name: String
    private let blobs: [Digest]
    /// Of each blob but the last.
    private let blobBytes: Int
    private let shelf: BlobShelf

    /// - Throws: what fetching the first and the last of them throws; `.invalidInput` where there are none.
    init(_ blobs: [Digest], name: String, shelf: BlobShelf) throws {
        guard let first = blobs.first, let last = blobs.last else {
            throw QuernError(.invalidInput, "a file of no blobs", at: name)
        }
        blobBytes = try shelf.bytes(of: first).count
        let end = try shelf.bytes(of: last).count
        guard blobBytes > 0 || blobs.count == 1 else { throw QuernError(.invalidInput, "an empty blob", at: name) }
        size = UInt64(blobs.count - 1) * UInt64(blobBytes) + UInt64(end)
        self.blobs = blobs
        self.name = name
        self.shelf = shelf
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(.invalidInput, "\(buffer.count) bytes at offset \(offset) lie beyond its end", at: name)
        }
        var done = 0
        while done < buffer.count {
            let place = Int(offset) + done
            let index = min(place / blobBytes, blobs.count - 1)
            let start = place - index * blobBytes
            let bytes = try shelf.bytes(of: blobs[index])
            guard index == blobs.count - 1 || bytes.count == blobBytes else {
                throw QuernError(.invalidInput, "blobs of different sizes", at: name)
            }
            let count = min(bytes.count - start, buffer.count - done)
            bytes.withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
            }
            done += count
        }
    }
}

/// The blob that was read last, for all who read blobs in their order.
final class BlobShelf: Sendable {
    private let context: StageContext
    private let last = Mutexed<(digest: Digest, bytes: [UInt8])?>(nil)

    init(_ context: StageContext) { self.context = context }

    /// - Throws: `LostBlobs` where the blob is missing or damaged.
    func bytes(of digest: Digest) throws -> [UInt8] {
        try context.control.check()
        if let last = last.mutate({ $0 }), last.digest == digest { return last.bytes }
        // Never two at a time.
        last.mutate { $0 = nil }
        let bytes = try context.blobs.get(digest, context.control)
        last.mutate { $0 = (digest, bytes) }
        return bytes
    }
}
