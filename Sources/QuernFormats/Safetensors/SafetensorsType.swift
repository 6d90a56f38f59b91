/// The element types of safetensors; raw values are the names in the header.
public enum SafetensorsType: String, Sendable, Hashable, Codable, CaseIterable {
    case bool = "BOOL"
    case f4 = "F4"
    case f6_E2M3 = "F6_E2M3"
    case f6_E3M2 = "F6_E3M2"
    case u8 = "U8"
    case i8 = "I8"
    case f8_E5M2 = "F8_E5M2"
    case f8_E4M3 = "F8_E4M3"
    case f8_E8M0 = "F8_E8M0"
    case f8_E4M3FNUZ = "F8_E4M3FNUZ"
    case f8_E5M2FNUZ = "F8_E5M2FNUZ"
    case i16 = "I16"
    case u16 = "U16"
    case f16 = "F16"
    case bf16 = "BF16"
    case i32 = "I32"
    case u32 = "U32"
    case f32 = "F32"
    case c64 = "C64"
    case f64 = "F64"
    case i64 = "I64"
    case u64 = "U64"

    /// Bits of one element; elements are packed without gaps.
    public var bits: Int {
        switch self {
        case .f4: 4
        case .f6_E2M3, .f6_E3M2: 6
        case .bool, .u8, .i8, .f8_E5M2, .f8_E4M3, .f8_E8M0, .f8_E4M3FNUZ, .f8_E5M2FNUZ: 8
        case .i16, .u16, .f16, .bf16: 16
        case .i32, .u32, .f32: 32
        case .c64, .f64, .i64, .u64: 64
        }
    }

    /// The type of the same bits in a GGUF; nil where GGUF has none.
    public var elementType: ElementType? {
        switch self {
        case .f16: .f16
        case .bf16: .bf16
        case .f32: .f32
        case .f64: .f64
        case .i8: .i8
        case .i16: .i16
        case .i32: .i32
        case .i64: .i64
        default: nil
        }
    }

    /// Bytes of a tensor of this shape (any rank; an empty shape is one element).
    /// - Returns: nil where a dimension is negative, the product overflows, or the bits end inside a byte.
    public func bytes(shape: [Int]) -> UInt64? {
        var bits = UInt64(self.bits)
        for dimension in shape {
            guard let dimension = UInt64(exactly: dimension) else { return nil }
            let (product, overflow) = bits.multipliedReportingOverflow(by: dimension)
            guard !overflow else { return nil }
            bits = product
        }
        return bits % 8 == 0 ? bits / 8 : nil
    }
}
