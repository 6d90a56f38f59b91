import Glibc
import QuernFormats

extension FolderBlobStore {
    /// Bytes read from a plain blob at once.
    private static var pieceBytes: Int { 256 << 10 }

    /// The blob's bytes, blocking; see `get`.
    public func load(_ digest: Digest) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(expectedSize(of: digest))
        try stream(digest, checked: true) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Bytes to set aside for a blob: as many as it has, or where it is compressed, which mostly spares little, room for
    /// more than that. What is not used of it takes no memory.
    private func expectedSize(of digest: Digest) -> Int {
        var status = stat()
        guard let place = locate(digest), stat(place.path, &status) == 0 else { return 0 }
        return Int(min(status.st_size * (place.compressed ? 2 : 1), off_t(maximumBlobBytes)))
    }

    public func stream(
        _ digest: Digest, checked: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard let place = locate(digest) else {
            throw QuernError(.notFound, "there is no blob \(digest)", at: root)
        }
        let file: FileDescriptor
        do {
            file = try FileDescriptor(path: place.path, flags: O_RDONLY)
        } catch let error as QuernError where error.code == .notFound {
            throw QuernError(.notFound, "there is no blob \(digest)", at: root)
        }
        var hasher = SHA256Hasher()
        // What `body` throws is not about the blob, and passes through as it is.
        var failure: (any Error)?
        let hand: (UnsafeRawBufferPointer) throws -> Void = { piece in
            if checked { hasher.update(piece) }
            do { try body(piece) } catch {
                failure = error
                throw error
            }
        }
        do {
            if place.compressed { try readFrames(file, hand) } else { try readPlain(file, hand) }
        } catch {
            if let failure { throw failure }
            guard (error as? QuernError)?.code == .corrupted else { throw error }
            throw damaged(digest, at: place.path, compressed: place.compressed)
        }
        guard !checked || hasher.finish() == digest else {
            throw damaged(digest, at: place.path, compressed: place.compressed)
        }
    }

    private func readPlain(
        _ file: borrowing FileDescriptor, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let size = try file.status().st_size
        guard size <= maximumBlobBytes else { throw QuernError(.corrupted, "longer than a blob may be") }
        try withUnsafeTemporaryAllocation(byteCount: max(1, min(Self.pieceBytes, Int(size))), alignment: 64) { buffer in
            var position: UInt64 = 0
            while true {
                let count = try file.read(at: position, into: buffer)
                guard count > 0 else { return }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                position += UInt64(count)
            }
        }
    }

    private func readFrames(
        _ file: borrowing FileDescriptor, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let decompressor = try ZstandardDecompressor()
        let input = UnsafeMutableRawBufferPointer.allocate(byteCount: Zstandard.frameBound, alignment: 64)
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: Zstandard.frameBytes, alignment: 64)
        defer {
            input.deallocate()
            output.deallocate()
        }
        var position: UInt64 = 0
        var total = 0
        while true {
            let count = try file.read(at: position, into: input)
            guard count > 0 else { return }
            let bytes = UnsafeRawBufferPointer(rebasing: input[..<count])
            let frame = try Zstandard.frameSizes(bytes)
            guard frame.content <= output.count, frame.content <= maximumBlobBytes - total else {
                throw QuernError(.corrupted, "compressed data holds more than a blob may")
            }
            let content = UnsafeMutableRawBufferPointer(rebasing: output[..<frame.content])
            try decompressor.content(of: UnsafeRawBufferPointer(rebasing: bytes[..<frame.stored]), into: content)
            try body(UnsafeRawBufferPointer(content))
            position += UInt64(frame.stored)
            total += frame.content
        }
    }

    /// Moves a damaged blob out of the way and says so.
    private func damaged(_ digest: Digest, at path: String, compressed: Bool) -> QuernError {
        let aside = "\(root)/damaged/\(digest.hex)\(compressed ? ".zst" : "").\(FileSystem.uniqueSuffix())"
        let moved = rename(path, aside) == 0
        return QuernError(
            .corrupted, "the stored bytes of blob \(digest) are damaged", at: path,
            remedy: moved ? "They were moved to \(aside) and will be made again" : "Remove the file and check the disk")
    }
}
