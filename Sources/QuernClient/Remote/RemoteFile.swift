import NIOCore
import QuernFormats
import Synchronization

/// One version of a file that is read by ranges over a network.
final class RemoteFile: CheckpointFile {
    /// Fetches a range of the version, exactly.
    typealias Fetch = @Sendable (_ range: Range<UInt64>) async throws -> ByteBuffer

    /// Its URL.
    let name: String
    let size: UInt64
    let version: String?
    let modified: Int64 = 0
    let fetch: Fetch
    /// Of this very version.
    let key: String
    private let cache: PieceCache
    private let ranges = Mutex<[Range<Int>]>([])

    /// - Parameter version: goes into keys, and must be another one for other bytes.
    init(url: String, size: UInt64, version: String, cache: PieceCache, fetch: @escaping Fetch) {
        name = url
        self.size = size
        self.version = version
        key = "\(version) \(url)"
        self.cache = cache
        self.fetch = fetch
    }

    deinit { cache.abandon(ObjectIdentifier(self), key) }

    /// How many blocks it has.
    var blocks: Int { Int((size + UInt64(BlockSpool.blockBytes) - 1) / UInt64(BlockSpool.blockBytes)) }

    /// The blocks that were said to be read, in order; none overlap or touch.
    var expected: [Range<Int>] { ranges.withLock { $0 } }

    func bytes(of blocks: Range<Int>) -> Range<UInt64> {
        let unit = UInt64(BlockSpool.blockBytes)
        return UInt64(blocks.lowerBound) * unit..<min(UInt64(blocks.upperBound) * unit, size)
    }

    func willRead(_ range: Range<UInt64>, soon: Bool) {
        guard !range.isEmpty, range.upperBound <= size else { return }
        let unit = UInt64(BlockSpool.blockBytes)
        let blocks = Int(range.lowerBound / unit)..<Int((range.upperBound - 1) / unit) + 1
        ranges.withLock { ranges in
            let first = ranges.firstIndex { $0.upperBound >= blocks.lowerBound } ?? ranges.count
            var (merged, last) = (blocks, first)
            while last < ranges.count, ranges[last].lowerBound <= merged.upperBound {
                merged =
                    min(merged.lowerBound, ranges[last].lowerBound)..<max(merged.upperBound, ranges[last].upperBound)
                last += 1
            }
            ranges.replaceSubrange(first..<last, with: [merged])
        }
        if soon { cache.prefetch(blocks, of: self) }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(
                .invalidInput, "\(buffer.count) bytes at offset \(offset) lie beyond its end (\(size) bytes)", at: name,
                remedy: "The file is truncated: it must be uploaded again")
        }
        guard !buffer.isEmpty else { return }
        let unit = BlockSpool.blockBytes
        let last = (Int(offset) + buffer.count - 1) / unit
        var done = 0
        while done < buffer.count {
            let (block, skip) = (Int(offset) + done).quotientAndRemainder(dividingBy: unit)
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            if let count = cache.spool.read(key, block, from: skip, into: rest) {
                done += count
                continue
            }
            let piece = cache.piece(holding: block, through: last, of: self)
            let bytes = try piece.bytes()
            let start = (block - piece.blocks.lowerBound) * unit + skip
            let count = min(bytes.readableBytes - start, rest.count)
            bytes.withUnsafeReadableBytes {
                rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
            }
            done += count
            cache.settle(piece, bytes)
        }
    }
}
