extension [UInt8] {
    /// What becomes of the values, in pieces: a copy of a large array would cost more than the bytes.
    @inline(__always)
    mutating func append<Source, Value: FixedWidthInteger>(
        littleEndian values: [Source], _ bits: (Source) -> Value
    ) {
        for first in stride(from: 0, to: values.count, by: 4096) {
            values[first..<Swift.min(first + 4096, values.count)].map { bits($0).littleEndian }
                .withUnsafeBytes { append(contentsOf: $0) }
        }
    }

    mutating func append<Value: FixedWidthInteger>(littleEndian values: [Value]) {
        append(littleEndian: values) { $0 }
    }
}
