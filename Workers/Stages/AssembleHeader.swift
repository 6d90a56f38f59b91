import QuernFormats
import QuernJobs
import QuernStore

/// The bytes of an artifact file that lie before its first tensor.
struct AssembleHeader {
    let work: AssembleWork
    let context: StageContext

    /// Hands over the header's bytes with their offsets in the file, in their order, and digests held to.
    /// - Returns: the header's blobs with their places.
    /// - Throws: `LostBlobs`, `.invalidInput` where it is too long; what `body` throws.
    func read(
        _ body: (_ offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) throws -> [AssembleCheck.Region] {
        let limit = work.tensors.first?.offset ?? work.size
        var offset: UInt64 = 0
        var regions: [AssembleCheck.Region] = []
        for digest in work.header {
            let start = offset
            guard work.patches.isEmpty else {
                var bytes = try context.blobs.get(digest, context.control)
                guard UInt64(bytes.count) <= limit - offset else { throw tooLong }
                try patch(&bytes, at: start)
                try bytes.withUnsafeBytes { try body(start, $0) }
                offset += UInt64(bytes.count)
                regions.append(
                    AssembleCheck.Region(offset: start, count: UInt64(bytes.count), digest: Digest(of: bytes)))
                continue
            }
            try context.blobs.stream(digest, checked: true, context.control) { piece in
                guard UInt64(piece.count) <= limit - offset else { throw tooLong }
                try body(offset, piece)
                offset += UInt64(piece.count)
            }
            regions.append(AssembleCheck.Region(offset: start, count: offset - start, digest: digest))
        }
        return regions
    }

    private var tooLong: QuernError {
        QuernError(.invalidInput, "the header reaches into the first tensor", at: work.file)
    }

    /// Fills in what other items found out, as far as it lies in these bytes of the header.
    private func patch(_ bytes: inout [UInt8], at start: UInt64) throws {
        for patch in work.patches {
            let value = UInt32(clamping: try context.merged(patch.item, at: work.file).chunks)
            for place in 0..<4 {
                let (offset, below) = (patch.offset &+ UInt64(place)).subtractingReportingOverflow(start)
                guard !below, offset < UInt64(bytes.count) else { continue }
                bytes[Int(offset)] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(place)))
            }
        }
    }
}
