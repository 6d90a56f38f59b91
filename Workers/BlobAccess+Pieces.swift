import QuernJobs
import QuernStore

extension BlobAccess {
    /// Bytes cut to blobs, on their way into the store.
    struct Pieces {
        let parts: [Part]
        let writers: [PartWriter]
        /// Of the blobs that, joined, are the bytes.
        var digests: [Digest] { parts.map(\.digest) }
    }

    /// To be committed.
    func pieces(of bytes: [UInt8]) throws -> Pieces {
        var parts: [Part] = []
        var writers: [PartWriter] = []
        for start in stride(from: 0, to: bytes.count, by: maximumBlobBytes) {
            let writer = try makeWriter()
            try bytes.withUnsafeBytes { bytes in
                try writer.append(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + maximumBlobBytes, bytes.count)]))
            }
            let (digest, count) = try writer.finish()
            parts.append(Part(digest: digest, bytes: count, squaredError: 0, squaredNorm: 0))
            writers.append(writer)
        }
        return Pieces(parts: parts, writers: writers)
    }
}
