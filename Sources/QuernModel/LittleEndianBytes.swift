extension [UInt8] {
    mutating func append<Value: FixedWidthInteger>(littleEndian values: [Value]) {
        values.map(\.littleEndian).withUnsafeBytes { append(contentsOf: $0) }
    }
}
