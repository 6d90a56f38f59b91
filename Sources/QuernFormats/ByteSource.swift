/// Something that can be read by ranges: a file, an object, bytes in memory.
///
/// Reads may come from several threads at once.
public protocol ByteSource: Sendable {
    /// Bytes in all.
    var size: UInt64 { get }
    /// What to call it in messages: usually the path.
    var name: String { get }
    /// Fills `buffer` with the bytes from `offset` on.
    /// - Throws: `QuernError` with code `.invalidInput` where the range leaves the source, `.io` where reading fails.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws
    /// Says that a range will be read, mostly from its beginning to its end, so that a source that is far away fetches
    /// ahead within it, and nowhere else.
    /// - Parameter soon: whether its beginning is to be fetched now.
    func willRead(_ range: Range<UInt64>, soon: Bool)
}

extension ByteSource {
    public func willRead(_ range: Range<UInt64>, soon: Bool) {}

    /// The `count` bytes from `offset` on.
    public func bytes(at offset: UInt64, count: Int) throws -> [UInt8] {
        guard count >= 0, offset <= size, UInt64(count) <= size - offset else {
            throw QuernError(
                .invalidInput, "\(count) bytes at offset \(offset) lie beyond its end (\(size) bytes)", at: name,
                remedy: "The file is truncated: copy or download it again")
        }
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }
}
