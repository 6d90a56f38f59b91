/// Type ids of metadata values in the file.
enum GGUFValueType: UInt32 {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The least bytes that one value takes.
    var minimumBytes: UInt64 {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .string: 8
        case .array: 12
        }
    }
}

extension GGUFCursor {
    /// A type id, then a value of that type.
    mutating func value() throws -> GGUFValue {
        switch try valueType() {
        case .uint8: .uint8(try integer())
        case .int8: .int8(try integer())
        case .uint16: .uint16(try integer())
        case .int16: .int16(try integer())
        case .uint32: .uint32(try integer())
        case .int32: .int32(try integer())
        case .float32: .float32(try float())
        case .bool: .bool(try bool())
        case .string: .string(try string(limit: GGUFLimits.stringBytes, what: "a string"))
        case .array: .array(try array(depth: 1))
        case .uint64: .uint64(try integer())
        case .int64: .int64(try integer())
        case .float64: .float64(try double())
        }
    }

    private mutating func valueType() throws -> GGUFValueType {
        let id: UInt32 = try integer()
        guard let type = GGUFValueType(rawValue: id) else { throw error("unknown value type \(id)", .unsupported) }
        return type
    }

    /// The element type, the count, and the elements.
    private mutating func array(depth: Int) throws -> GGUFArray {
        guard depth <= GGUFLimits.arrayDepth else {
            throw error("arrays nested more than \(GGUFLimits.arrayDepth) deep")
        }
        let type = try valueType()
        let declared: UInt64 = try integer()
        let isList = type == .string || type == .array
        let limit = isList ? GGUFLimits.arrayEntries : GGUFLimits.arrayBytes / type.minimumBytes
        guard declared <= limit else { throw error("an array of \(declared) elements, at most \(limit) are allowed") }
        guard declared * type.minimumBytes <= remaining else {
            throw error("an array of \(declared) elements goes beyond the end of the file")
        }
        let count = Int(declared)
        switch type {
        case .uint8: return .uint8(try integers(count))
        case .int8: return .int8(try integers(count))
        case .uint16: return .uint16(try integers(count))
        case .int16: return .int16(try integers(count))
        case .uint32: return .uint32(try integers(count))
        case .int32: return .int32(try integers(count))
        case .uint64: return .uint64(try integers(count))
        case .int64: return .int64(try integers(count))
        case .float32: return .float32(try integers(count).map { Float(bitPattern: $0) })
        case .float64: return .float64(try integers(count).map { Double(bitPattern: $0) })
        case .bool:
            let bytes: [UInt8] = try integers(count)
            guard let wrong = bytes.first(where: { $0 > 1 }) else { return .bool(bytes.map { $0 == 1 }) }
            throw error("a boolean of value \(wrong)")
        case .string:
            var strings: [GGUFString] = []
            strings.reserveCapacity(count)
            for _ in 0..<count { strings.append(try string(limit: GGUFLimits.stringBytes, what: "a string")) }
            return .string(strings)
        case .array:
            var arrays: [GGUFArray] = []
            arrays.reserveCapacity(count)
            for _ in 0..<count { arrays.append(try array(depth: depth + 1)) }
            return .array(arrays)
        }
    }
}
