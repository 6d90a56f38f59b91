/// Reads little-endian values one after another from the beginning of a source, through a buffer that slides along.
struct GGUFCursor {
    let source: any ByteSource
    /// Of the next byte.
    private(set) var offset: UInt64 = 0
    private var buffer: [UInt8] = []
    private var bufferOffset: UInt64 = 0
    private static let bufferBytes: UInt64 = 1 << 20

    init(_ source: any ByteSource) { self.source = source }

    /// Bytes from here to where the header must have ended.
    var remaining: UInt64 { min(source.size, GGUFLimits.headerBytes) - offset }

    /// Consumes `count` bytes as `body` sees them.
    private mutating func take<Value>(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Value) throws -> Value {
        guard UInt64(count) <= remaining else {
            guard source.size <= GGUFLimits.headerBytes else {
                throw error("a header of more than \(GGUFLimits.headerBytes) bytes")
            }
            throw error("the file ends inside the header", remedy: "The file is truncated: copy or download it again")
        }
        if offset + UInt64(count) > bufferOffset + UInt64(buffer.count) {
            let ahead = min(max(UInt64(count), Self.bufferBytes), source.size - offset)
            buffer = try source.bytes(at: offset, count: Int(ahead))
            bufferOffset = offset
        }
        let start = Int(offset - bufferOffset)
        let value = buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)])) }
        offset += UInt64(count)
        return value
    }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws -> Value {
        try take(MemoryLayout<Value>.size) { Value(littleEndian: $0.loadUnaligned(as: Value.self)) }
    }

    mutating func float() throws -> Float { Float(bitPattern: try integer()) }

    mutating func double() throws -> Double { Double(bitPattern: try integer()) }

    mutating func bool() throws -> Bool {
        let byte: UInt8 = try integer()
        guard byte < 2 else { throw error("a boolean of value \(byte)") }
        return byte == 1
    }

    /// A length, then as many bytes.
    mutating func string(limit: UInt64, what: StaticString) throws -> GGUFString {
        let length: UInt64 = try integer()
        guard length <= limit else { throw error("\(what) of \(length) bytes, at most \(limit) are allowed") }
        guard length <= remaining else { throw error("\(what) of \(length) bytes goes beyond the end of the file") }
        return GGUFString(utf8: try take(Int(length)) { [UInt8]($0) })
    }

    /// A string that must be UTF-8.
    mutating func text(limit: UInt64, what: StaticString) throws -> String {
        let string = try string(limit: limit, what: what)
        guard let text = String(validating: string.utf8, as: UTF8.self) else {
            throw error("\(what) is no valid UTF-8: \(string.text.quotedForMessage)")
        }
        return text
    }

    /// `count` integers that have been checked to fit the file.
    mutating func integers<Value: FixedWidthInteger>(_ count: Int) throws -> [Value] {
        try take(count * MemoryLayout<Value>.size) { bytes in
            [Value](unsafeUninitializedCapacity: count) { values, initialized in
                for index in 0..<count {
                    let raw = bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Value>.size, as: Value.self)
                    values.initializeElement(at: index, to: Value(littleEndian: raw))
                }
                initialized = count
            }
        }
    }

    func error(_ message: String, _ code: QuernError.Code = .invalidInput, remedy: String = "") -> QuernError {
        QuernError(code, message, at: "byte \(offset)", remedy: remedy)
    }
}
