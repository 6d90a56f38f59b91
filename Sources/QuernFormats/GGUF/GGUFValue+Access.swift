extension GGUFValue {
    public static func string(_ text: String) -> GGUFValue { .string(GGUFString(text)) }

    /// The value of any integer that is not negative.
    public var unsigned: UInt64? {
        switch self {
        case .uint8(let value): UInt64(value)
        case .uint16(let value): UInt64(value)
        case .uint32(let value): UInt64(value)
        case .uint64(let value): value
        case .int8(let value): UInt64(exactly: value)
        case .int16(let value): UInt64(exactly: value)
        case .int32(let value): UInt64(exactly: value)
        case .int64(let value): UInt64(exactly: value)
        default: nil
        }
    }

    /// The value of any integer that fits 64 bits with a sign.
    public var signed: Int64? {
        switch self {
        case .int8(let value): Int64(value)
        case .int16(let value): Int64(value)
        case .int32(let value): Int64(value)
        case .int64(let value): value
        default: unsigned.flatMap { Int64(exactly: $0) }
        }
    }

    /// The value of a floating-point number of either width.
    public var float: Double? {
        switch self {
        case .float32(let value): Double(value)
        case .float64(let value): value
        default: nil
        }
    }

    /// The text of a string, with bytes that are no UTF-8 replaced.
    public var text: String? {
        if case .string(let value) = self { value.text } else { nil }
    }

    /// The elements of an array of strings.
    public var strings: [GGUFString]? {
        if case .array(.string(let values)) = self { values } else { nil }
    }
}

extension GGUFArray {
    public var count: Int {
        switch self {
        case .uint8(let values): values.count
        case .int8(let values): values.count
        case .uint16(let values): values.count
        case .int16(let values): values.count
        case .uint32(let values): values.count
        case .int32(let values): values.count
        case .float32(let values): values.count
        case .bool(let values): values.count
        case .string(let values): values.count
        case .uint64(let values): values.count
        case .int64(let values): values.count
        case .float64(let values): values.count
        case .array(let values): values.count
        }
    }
}
