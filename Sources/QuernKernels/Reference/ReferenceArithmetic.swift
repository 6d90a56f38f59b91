extension Float {
    /// Half precision, rounded to nearest even; NaN becomes 0x7e00 with its sign.
    var halfBits: UInt16 {
        if isNaN { return (sign == .minus ? 0x8000 : 0) | 0x7e00 }
        return Float16(self).bitPattern
    }

    /// What `halfBits` decode to.
    var roundedToHalf: Float { Float(Float16(bitPattern: halfBits)) }

    /// The upper half of the bits, rounded to nearest even; NaN becomes quiet.
    var brainFloatBits: UInt16 {
        if isNaN { return UInt16(bitPattern >> 16) | 64 }
        return UInt16((bitPattern + 0x7fff + (bitPattern >> 16 & 1)) >> 16)
    }

    /// The nearest integer, halves to even, by adding 1.5 × 2²³: the integer is then in the low 23 bits. Values from
    /// ±2²² on wrap around; their result is meaningless and still decides bytes.
    var nearestInteger: Int {
        Int((self + 12_582_912).bitPattern & 0x7f_ffff) - 0x40_0000
    }

    /// The nearest integer within `bounds`.
    func nearestInteger(in bounds: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(nearestInteger, bounds.lowerBound), bounds.upperBound)
    }

    /// Truncated towards zero; zero where the low byte of the conversion is: infinities, NaN and beyond.
    var truncatedInteger: Int { magnitude < 0x1p31 ? Int(self) : 0 }
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] {
        withUnsafeBytes(of: littleEndian) { Array($0) }
    }
}

/// 1/x, or zero for zero.
func inverseOrZero(_ x: Float) -> Float { x == 0 ? 0 : 1 / x }

/// Blocks whose largest magnitude is smaller count as zero in the searches.
let smallestMagnitude: Float = 1e-15
