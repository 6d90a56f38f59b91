/// A metadata value of a GGUF file. Arrays are typed, so that a 150,000-token vocabulary is one array of strings and
/// not as many enums. Strings are kept as bytes where they are no valid UTF-8 (a vocabulary may hold any bytes).
public enum GGUFValue: Sendable, Equatable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string(GGUFString)
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)
    case array(GGUFArray)
}

/// A homogeneous array of metadata values.
public enum GGUFArray: Sendable, Equatable {
    case uint8([UInt8])
    case int8([Int8])
    case uint16([UInt16])
    case int16([Int16])
    case uint32([UInt32])
    case int32([Int32])
    case float32([Float])
    case bool([Bool])
    case string([GGUFString])
    case uint64([UInt64])
    case int64([Int64])
    case float64([Double])
    /// Rank over one; the format allows it, no known writer makes it.
    case array([GGUFArray])
}

/// Text of a GGUF file: bytes that usually are UTF-8.
public struct GGUFString: Sendable, Hashable, ExpressibleByStringLiteral {
    public let utf8: [UInt8]
    public init(utf8: [UInt8]) { self.utf8 = utf8 }
    public init(_ text: String) { utf8 = Array(text.utf8) }
    public init(stringLiteral value: String) { self.init(value) }
    /// The text, with invalid bytes replaced: for people, not for writing back.
    public var text: String { String(decoding: utf8, as: UTF8.self) }
}
