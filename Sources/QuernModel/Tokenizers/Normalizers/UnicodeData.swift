import Foundation

/// What normalization needs to know of characters, as far as Unicode 9 has them.
final class UnicodeData: Sendable {
    static let shared = UnicodeData()

    /// By code point up to `end`: an index into `parts` plus one, or 0.
    private let canonical: [UInt16]
    private let compatible: [UInt16]
    private let parts: [[UInt32]]
    private let classes: [UInt8]
    /// From two characters to the one they compose to.
    private let compositions: [UInt64: UInt32]
    /// A bit for each form that changes the character, or what stands before it.
    private let changes: [UInt8]

    /// Nothing beyond has a decomposition or a combining class.
    private static let end: UInt32 = 0x2FA20
    /// Where characters with decompositions are.
    private static let blocks: [ClosedRange<UInt32>] = [
        0xA0...0x33FF, 0xA640...0xABFF, 0xF900...0xFFFF, 0x10780...0x11FFF, 0x16100...0x16DFF, 0x1BC00...0x1F2FF,
        0x1FB00...0x1FBFF, 0x2F800...0x2FA1F,
    ]

    private init() {
        var canonical = [UInt16](repeating: 0, count: Int(Self.end))
        var compatible = canonical
        var classes = [UInt8](repeating: 0, count: Int(Self.end))
        var parts: [[UInt32]] = []
        var composites: [(scalar: Unicode.Scalar, parts: [UInt32])] = []
        func enter(_ decomposition: [UInt32]) -> UInt16 {
            parts.append(decomposition)
            return UInt16(truncatingIfNeeded: parts.count)
        }
        for value in Self.blocks.joined() {
            guard let scalar = Unicode.Scalar(value), LegacyUnicode.isKnown(scalar.properties, to: 9) else { continue }
            classes[Int(value)] = scalar.properties.canonicalCombiningClass.rawValue
            let text = String(scalar)
            let full = text.decomposedStringWithCompatibilityMapping.unicodeScalars.map(\.value)
            guard full != [value] else { continue }
            compatible[Int(value)] = enter(full)
            let exact = text.decomposedStringWithCanonicalMapping.unicodeScalars.map(\.value)
            guard exact != [value] else { continue }
            canonical[Int(value)] = exact == full ? compatible[Int(value)] : enter(exact)
            if !scalar.properties.isFullCompositionExclusion { composites.append((scalar, exact)) }
        }
        self.canonical = canonical
        self.compatible = compatible
        self.classes = classes
        self.parts = parts
        compositions = Self.compositions(of: composites)
        var changes = [UInt8](repeating: 0, count: Int(Self.end))
        for index in changes.indices {
            if canonical[index] != 0 || classes[index] != 0 { changes[index] |= Self.bit(false, false) }
            if compatible[index] != 0 || classes[index] != 0 { changes[index] |= Self.bit(true, false) }
        }
        // What decomposes is the same again after composition, unless it is excluded from that.
        for index in changes.indices where compatible[index] != 0 || classes[index] != 0 {
            changes[index] |= Self.bit(false, true) | Self.bit(true, true)
        }
        for (scalar, parts) in composites {
            changes[Int(scalar.value)] &= ~Self.bit(false, true)
            if canonical[Int(scalar.value)] == compatible[Int(scalar.value)] {
                changes[Int(scalar.value)] &= ~Self.bit(true, true)
            }
            for part in parts.dropFirst() { changes[Int(part)] |= Self.bit(false, true) | Self.bit(true, true) }
        }
        for part in Hangul.followers { changes[Int(part)] |= Self.bit(false, true) | Self.bit(true, true) }
        for syllable in Hangul.first..<Hangul.first + Hangul.count {
            changes[Int(syllable)] |= Self.bit(false, false) | Self.bit(true, false)
        }
        self.changes = changes
    }

    private static func bit(_ compatibility: Bool, _ composing: Bool) -> UInt8 {
        1 << ((compatibility ? 1 : 0) + (composing ? 2 : 0))
    }

    /// Whether a character makes work for a form. Text without such characters stays as it is.
    func unstable(compatibility: Bool, composing: Bool) -> (UInt32) -> Bool {
        let bit = Self.bit(compatibility, composing)
        return { [changes] scalar in scalar >= 0xA0 && scalar < Self.end && changes[Int(scalar)] & bit != 0 }
    }

    /// Decompositions are given in full; a character is composed of what all but the last of its parts make, and the
    /// last. Shorter ones come first, so that what they make is known.
    private static func compositions(
        of composites: [(scalar: Unicode.Scalar, parts: [UInt32])]
    ) -> [UInt64: UInt32] {
        var made: [UInt64: UInt32] = [:]
        for (scalar, parts) in composites.sorted(by: { $0.parts.count < $1.parts.count }) {
            guard parts.count > 1, let last = parts.last else { continue }
            var left = parts[0]
            var isComplete = true
            for part in parts[1..<parts.count - 1] {
                guard let next = made[key(left, part)] else {
                    isComplete = false
                    break
                }
                left = next
            }
            if isComplete { made[key(left, last)] = scalar.value }
        }
        return made
    }

    private static func key(_ left: UInt32, _ right: UInt32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

    @inline(__always)
    func combiningClass(of scalar: UInt32) -> UInt8 { scalar < Self.end ? classes[Int(scalar)] : 0 }

    /// - Returns: nil where the character stays as it is.
    @inline(__always)
    func decomposition(of scalar: UInt32, compatibility: Bool) -> [UInt32]? {
        guard scalar < Self.end else { return nil }
        let entry = compatibility ? compatible[Int(scalar)] : canonical[Int(scalar)]
        return entry == 0 ? nil : parts[Int(entry) - 1]
    }

    func composition(_ left: UInt32, _ right: UInt32) -> UInt32? {
        // No second part stands before the combining marks.
        guard right >= 0x300 else { return nil }
        return compositions[Self.key(left, right)] ?? Hangul.composition(left, right)
    }
}
