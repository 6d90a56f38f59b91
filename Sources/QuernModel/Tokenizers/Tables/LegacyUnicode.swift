/// Classes of characters as the tokenizers library has them, whose tables for these are older than Swift's: Unicode 8
/// for categories, Unicode 9 for normalization. Characters that came later have no class; a few have changed theirs.
enum LegacyUnicode {
    /// `P*` of Unicode 8.
    static func isPunctuation(_ scalar: UInt32) -> Bool {
        if scalar == 0x166D || scalar == 0x111C9 { return true }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
        switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
            .finalPunctuation, .otherPunctuation:
            return isKnown(properties, to: 8)
        default: return false
        }
    }

    /// `Cc`, `Cf`, `Co` of Unicode 8.
    static func isOther(_ scalar: UInt32) -> Bool {
        if scalar < 0x7F { return scalar < 0x20 }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return true }
        switch properties.generalCategory {
        case .control, .privateUse: return true
        case .format: return isKnown(properties, to: 8)
        default: return false
        }
    }

    /// `Mn` of Unicode 8.
    static func isNonspacingMark(_ scalar: UInt32) -> Bool {
        if scalar < 0x300 { return false }
        switch scalar {
        case 0x1734, 0x1171E: return true
        case 0x1885, 0x1886, 0xA9BD, 0x111C9: return false
        default: break
        }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
        return properties.generalCategory == .nonspacingMark && isKnown(properties, to: 8)
    }

    /// `M*` of Unicode 9.
    static func isCombiningMark(_ scalar: UInt32) -> Bool {
        if scalar < 0x300 { return false }
        switch scalar {
        case 0x1CF2, 0x1CF3: return true
        case 0x111C9: return false
        default: break
        }
        guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return isKnown(properties, to: 9)
        default: return false
        }
    }

    /// Whether Unicode had the character in version `major`.0.
    static func isKnown(_ properties: Unicode.Scalar.Properties, to major: Int) -> Bool {
        guard let age = properties.age else { return false }
        return age.major < major || age.major == major && age.minor == 0
    }
}
