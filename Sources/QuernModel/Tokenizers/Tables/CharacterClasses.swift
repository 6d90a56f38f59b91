/// Classes of characters as Rust's standard library and its regex crate have them, which the tokenizers library uses.
enum CharacterClasses {
    /// `White_Space`: 25 characters.
    @inline(__always)
    static func isWhitespace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// `\w` of Unicode's regular expressions (UTS #18): letters, marks, decimal digits, connectors, joiners.
    static func isWord(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 {
            return (0x30...0x39).contains(scalar) || (0x41...0x5A).contains(scalar) || scalar == 0x5F
                || (0x61...0x7A).contains(scalar)
        }
        guard let scalar = Unicode.Scalar(scalar) else { return false }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return properties.isAlphabetic || properties.isJoinControl
        }
    }

    /// `Nd`, `Nl`, `No`.
    static func isNumeric(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return (0x30...0x39).contains(scalar) }
        switch category(scalar) {
        case .decimalNumber, .letterNumber, .otherNumber: return true
        default: return false
        }
    }

    static func category(_ scalar: UInt32) -> Unicode.GeneralCategory {
        Unicode.Scalar(scalar)?.properties.generalCategory ?? .unassigned
    }

    /// All of ASCII that is neither letter, digit, space nor control, and `P*`.
    static func isPunctuation(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
        case ..<0x80: return false
        default: return LegacyUnicode.isPunctuation(scalar)
        }
    }
}
