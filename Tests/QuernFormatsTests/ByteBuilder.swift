import QuernFormats

/// Puts files together by hand, right or wrong.
struct ByteBuilder {
    var bytes: [UInt8] = []

    func number(_ value: some FixedWidthInteger) -> ByteBuilder {
        var copy = self
        withUnsafeBytes(of: value.littleEndian) { copy.bytes.append(contentsOf: $0) }
        return copy
    }

    func u32(_ value: UInt32) -> ByteBuilder { number(value) }
    func i32(_ value: Int32) -> ByteBuilder { number(value) }
    func u64(_ value: UInt64) -> ByteBuilder { number(value) }
    func f32(_ values: Float...) -> ByteBuilder { values.reduce(self) { $0.number($1.bitPattern) } }

    func raw(_ more: some Sequence<UInt8>) -> ByteBuilder {
        var copy = self
        copy.bytes.append(contentsOf: more)
        return copy
    }

    /// As GGUF has them: length, then bytes.
    func string(_ text: String) -> ByteBuilder { u64(UInt64(text.utf8.count)).raw(text.utf8) }

    /// A tensor description of a GGUF.
    func tensor(_ name: String, _ shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) -> ByteBuilder {
        shape.reduce(string(name).u32(UInt32(shape.count))) { $0.u64($1) }.u32(type).u64(offset)
    }

    func padded(to alignment: Int = 32) -> ByteBuilder {
        raw(repeatElement(0, count: -bytes.count & (alignment - 1)))
    }

    func zeros(_ count: Int) -> ByteBuilder { raw(repeatElement(0, count: count)) }

    /// Magic, version and counts of a GGUF.
    static func gguf(version: UInt32 = 3, tensors: UInt64 = 0, keys: UInt64 = 0) -> ByteBuilder {
        ByteBuilder().raw("GGUF".utf8).u32(version).u64(tensors).u64(keys)
    }

    /// A safetensors file of this header text and this many bytes of data.
    static func safetensors(_ header: String, data: Int = 0) -> ByteBuilder {
        ByteBuilder().u64(UInt64(header.utf8.count)).raw(header.utf8).zeros(data)
    }
}

/// The error that `body` throws; nil where it throws none or another kind.
func quernError<Value>(_ body: () throws -> Value) -> QuernError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? QuernError
    }
}
