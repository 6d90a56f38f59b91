import QuernFormats

/// What the values of an encoded block can be, and where their codes lie.
struct ReferenceGrid {
    /// Values that share a scale.
    let group: Int
    /// The code of zero, where numbers are (code − centre) · scale + offset; nil where they are scale · level.
    let centre: Int?
    let codes: Int
    /// Where the number in half precision lies of which all scales are multiples.
    let scaleOffset: Int
    private let type: ElementType

    /// - Returns: nil for types without such an encoder.
    init?(_ type: ElementType) {
        self.type = type
        switch type {
        case .q4_0: (group, centre, codes, scaleOffset) = (32, 8, 16, 0)
        case .q5_0: (group, centre, codes, scaleOffset) = (32, 16, 32, 0)
        case .q4_1: (group, centre, codes, scaleOffset) = (32, 0, 16, 0)
        case .q5_1: (group, centre, codes, scaleOffset) = (32, 0, 32, 0)
        case .q8_0: (group, centre, codes, scaleOffset) = (32, 128, 256, 0)
        case .iq4_nl, .iq4_xs: (group, centre, codes, scaleOffset) = (32, nil, 16, 0)
        case .q2_K: (group, centre, codes, scaleOffset) = (16, 0, 4, 80)
        case .q3_K: (group, centre, codes, scaleOffset) = (16, 4, 8, 108)
        case .q4_K: (group, centre, codes, scaleOffset) = (32, 0, 16, 0)
        case .q5_K: (group, centre, codes, scaleOffset) = (32, 0, 32, 0)
        case .q6_K: (group, centre, codes, scaleOffset) = (16, 32, 64, 208)
        default: return nil
        }
    }

    /// The scale and the offset of the group that a value belongs to.
    func scale(of value: Int, in block: [UInt8]) -> (scale: Float, offset: Float) {
        let index = value / group
        func half(_ at: Int) -> Float { Float(Float16(bitPattern: UInt16(block[at]) | UInt16(block[at + 1]) << 8)) }
        func bits(_ at: Int, _ shift: Int, _ width: Int) -> Int { Int(block[at]) >> shift & ((1 << width) - 1) }
        switch type {
        case .q4_1, .q5_1: return (half(0), half(2))
        case .iq4_xs:
            let quant = bits(4 + index / 2, 4 * (index % 2), 4) | bits(2 + index / 4, 2 * (index % 4), 2) << 4
            return (half(0) * Float(quant - 32), 0)
        case .q2_K: return (half(80) * Float(bits(index, 0, 4)), -(half(82) * Float(bits(index, 4, 4))))
        case .q3_K:
            let quant = bits(96 + index % 8, 4 * (index / 8), 4) | bits(104 + index % 4, 2 * (index / 4), 2) << 4
            return (half(108) * Float(quant - 32), 0)
        case .q4_K, .q5_K:
            let place = 4 + index
            let scale = index < 4 ? bits(place, 0, 6) : bits(place + 4, 0, 4) | bits(place - 4, 6, 2) << 4
            let minimum = index < 4 ? bits(place + 4, 0, 6) : bits(place + 4, 4, 4) | bits(place, 6, 2) << 4
            return (half(0) * Float(scale), -(half(2) * Float(minimum)))
        case .q6_K: return (half(208) * Float(Int8(bitPattern: block[192 + index])), 0)
        default: return (half(0), 0)
        }
    }

    /// Where bits of a value's code lie, the lowest first.
    private func places(of value: Int) -> [(byte: Int, shift: Int, width: Int)] {
        let (low, high) = (value % 32, value / 32)
        switch type {
        case .q4_0, .iq4_nl: return [(2 + value % 16, 4 * (value / 16), 4)]
        case .q4_1: return [(4 + value % 16, 4 * (value / 16), 4)]
        case .q5_0: return [(6 + value % 16, 4 * (value / 16), 4), (2 + value / 8, value % 8, 1)]
        case .q5_1: return [(8 + value % 16, 4 * (value / 16), 4), (4 + value / 8, value % 8, 1)]
        case .q8_0: return [(2 + value, 0, 8)]
        case .iq4_xs: return [(8 + 16 * high + value % 16, 4 * (value / 16 % 2), 4)]
        case .q2_K: return [(16 + 32 * (value / 128) + low, 2 * (high % 4), 2)]
        case .q3_K: return [(32 + 32 * (value / 128) + low, 2 * (high % 4), 2), (low, high, 1)]
        case .q4_K: return [(16 + 32 * (value / 64) + low, 4 * (high % 2), 4)]
        case .q5_K: return [(48 + 32 * (value / 64) + low, 4 * (high % 2), 4), (16 + low, high, 1)]
        case .q6_K:
            let half = value / 128
            return [
                (64 * half + value % 64, 4 * (value / 64 % 2), 4), (128 + 32 * half + low, 2 * (high % 4), 2),
            ]
        default: return []
        }
    }

    /// Puts the code of a value into its block.
    func store(_ code: Int, of value: Int, in block: inout [UInt8]) {
        // Those of Q8_0 are in two's complement.
        var code = type == .q8_0 ? code ^ 0x80 : code
        for (byte, shift, width) in places(of: value) {
            let mask = UInt8(truncatingIfNeeded: (1 << width) - 1) << shift
            block[byte] = block[byte] & ~mask | UInt8(truncatingIfNeeded: code << shift) & mask
            code >>= width
        }
    }
}
