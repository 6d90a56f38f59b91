extension [UInt8] {
    /// What becomes of the values, in pieces: a copy of a large array would cost more than the bytes.
    @inlinable @inline(__always)
    public mutating func append<Source, Value: FixedWidthInteger>(
        littleEndian values: [Source], _ bits: (Source) -> Value
    ) {
        for first in stride(from: 0, to: values.count, by: 4096) {
            values[first..<Swift.min(first + 4096, values.count)].map { bits($0).littleEndian }
                .withUnsafeBytes { append(contentsOf: $0) }
        }
    }

    @inlinable
    public mutating func append<Value: FixedWidthInteger>(littleEndian values: [Value]) {
        append(littleEndian: values) { $0 }
    }

    /// What it holds as numbers in single precision, of four bytes each.
    public var littleEndianFloats: [Float] { littleEndianFloats(at: 0, count / 4) ?? [] }

    /// Numbers in single precision.
    /// - Parameters:
    ///   - place: where the first begins, not beyond the end.
    ///   - count: of the numbers, 0 or more.
    /// - Returns: nil where there are fewer.
    public func littleEndianFloats(at place: Int, _ count: Int) -> [Float]? {
        guard count <= (self.count - place) / 4 else { return nil }
        return [Float](unsafeUninitializedCapacity: count) { values, initialized in
            withUnsafeBytes { bytes in
                for index in 0..<count {
                    let word = bytes.loadUnaligned(fromByteOffset: place + 4 * index, as: UInt32.self)
                    values[index] = Float(bitPattern: UInt32(littleEndian: word))
                }
            }
            initialized = count
        }
    }
}
