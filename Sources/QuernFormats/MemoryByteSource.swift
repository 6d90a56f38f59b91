/// Bytes in memory that are read like a file.
public struct MemoryByteSource: ByteSource {
    public let name: String
    public let contents: [UInt8]
    public var size: UInt64 { UInt64(contents.count) }

    public init(_ contents: [UInt8], name: String = "memory") {
        self.contents = contents
        self.name = name
    }

    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(.invalidInput, "\(buffer.count) bytes at offset \(offset) lie beyond its end", at: name)
        }
        buffer.copyBytes(from: contents[Int(offset)..<(Int(offset) + buffer.count)])
    }
}
