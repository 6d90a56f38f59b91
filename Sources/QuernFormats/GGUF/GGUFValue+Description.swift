/// For people: strings in quotes and cut where they are long, arrays by their first elements and their count.
extension GGUFValue: CustomStringConvertible {
    public var description: String {
        switch self {
        case .uint8(let value): "\(value)"
        case .int8(let value): "\(value)"
        case .uint16(let value): "\(value)"
        case .int16(let value): "\(value)"
        case .uint32(let value): "\(value)"
        case .int32(let value): "\(value)"
        case .float32(let value): "\(value)"
        case .bool(let value): "\(value)"
        case .string(let value): value.description
        case .uint64(let value): "\(value)"
        case .int64(let value): "\(value)"
        case .float64(let value): "\(value)"
        case .array(let value): value.description
        }
    }

    /// The name of the type: `u32`, `string`, `[f32]`.
    public var typeName: String {
        switch self {
        case .uint8: "u8"
        case .int8: "i8"
        case .uint16: "u16"
        case .int16: "i16"
        case .uint32: "u32"
        case .int32: "i32"
        case .float32: "f32"
        case .bool: "bool"
        case .string: "string"
        case .uint64: "u64"
        case .int64: "i64"
        case .float64: "f64"
        case .array(let value): "[\(value.elementTypeName)]"
        }
    }
}

extension GGUFArray: CustomStringConvertible {
    public var description: String {
        switch self {
        case .uint8(let values): Self.shortened(values)
        case .int8(let values): Self.shortened(values)
        case .uint16(let values): Self.shortened(values)
        case .int16(let values): Self.shortened(values)
        case .uint32(let values): Self.shortened(values)
        case .int32(let values): Self.shortened(values)
        case .float32(let values): Self.shortened(values)
        case .bool(let values): Self.shortened(values)
        case .string(let values): Self.shortened(values)
        case .uint64(let values): Self.shortened(values)
        case .int64(let values): Self.shortened(values)
        case .float64(let values): Self.shortened(values)
        case .array(let values): Self.shortened(values)
        }
    }

    fileprivate var elementTypeName: String {
        switch self {
        case .uint8: "u8"
        case .int8: "i8"
        case .uint16: "u16"
        case .int16: "i16"
        case .uint32: "u32"
        case .int32: "i32"
        case .float32: "f32"
        case .bool: "bool"
        case .string: "string"
        case .uint64: "u64"
        case .int64: "i64"
        case .float64: "f64"
        case .array(let values): "[\(values.first?.elementTypeName ?? "")]"
        }
    }

    private static func shortened(_ values: [some Any]) -> String {
        let shown = values.prefix(8).map { "\($0)" }.joined(separator: ", ")
        return values.count > 8 ? "[\(shown), … \(values.count) in all]" : "[\(shown)]"
    }
}

extension GGUFString: CustomStringConvertible {
    /// In quotes, without control characters, cut after 80 characters.
    public var description: String { String(decoding: utf8.prefix(400), as: UTF8.self).quotedForMessage }
}
