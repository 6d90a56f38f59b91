/// Bytes in memory, one piece behind the other, as one file.
public struct JoinedByteSource: ByteSource {
    private let pieces: [[UInt8]]
    public let size: UInt64
    public let name: String

    public init(_ pieces: [[UInt8]], name: String) {
        self.pieces = pieces
        self.name = name
        size = pieces.reduce(0) { $0 + UInt64($1.count) }
    }

    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(.invalidInput, "\(buffer.count) bytes at offset \(offset) lie beyond its end", at: name)
        }
        var (start, done) = (Int(offset), 0)
        for piece in pieces where done < buffer.count {
            let count = min(max(0, piece.count - start), buffer.count - done)
            if count > 0 {
                piece.withUnsafeBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
                }
            }
            start = max(0, start - piece.count)
            done += count
        }
    }
}
