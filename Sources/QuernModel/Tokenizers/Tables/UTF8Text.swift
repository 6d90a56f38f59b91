/// Steps through text that is known to be valid UTF-8.
enum UTF8Text {
    /// Bytes of the character that begins with `byte`.
    @inline(__always)
    static func length(_ byte: UInt8) -> Int {
        byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
    }

    /// The code point at `index`, and its bytes. Never reads beyond the end, whatever the bytes are.
    @inline(__always)
    static func scalar(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> (value: UInt32, length: Int) {
        let first = UInt32(text[index])
        if first < 0x80 { return (first, 1) }
        let left = text.count - index
        if first < 0xE0, left >= 2 { return ((first & 0x1F) << 6 | continuation(text, index + 1), 2) }
        if first < 0xF0, left >= 3 {
            return ((first & 0x0F) << 12 | continuation(text, index + 1) << 6 | continuation(text, index + 2), 3)
        }
        guard left >= 4 else { return (0xFFFD, left) }
        return (
            (first & 0x07) << 18 | continuation(text, index + 1) << 12 | continuation(text, index + 2) << 6
                | continuation(text, index + 3), 4
        )
    }

    @inline(__always)
    private static func continuation(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> UInt32 {
        UInt32(text[index] & 0x3F)
    }

    /// Where the character before `index` begins.
    @inline(__always)
    static func start(_ text: UnsafeBufferPointer<UInt8>, before index: Int) -> Int {
        var start = index - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        switch scalar {
        case ..<0x80:
            bytes.append(UInt8(scalar))
        case ..<0x800:
            bytes.append(0xC0 | UInt8(truncatingIfNeeded: scalar >> 6))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        case ..<0x10000:
            bytes.append(0xE0 | UInt8(truncatingIfNeeded: scalar >> 12))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        default:
            bytes.append(0xF0 | UInt8(truncatingIfNeeded: scalar >> 18 & 0x07))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 12 & 0x3F))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        }
    }

    /// The same bytes if they are UTF-8; otherwise what is broken becomes U+FFFD.
    static func repaired(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBufferPointer { UTF8Validation.isValid($0) }
            ? bytes : Array(String(decoding: bytes, as: UTF8.self).utf8)
    }
}

private enum UTF8Validation {
    /// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
    static func isValid(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var index = 0
        let count = text.count
        while index < count {
            let first = text[index]
            if first < 0x80 {
                index += 1
                continue
            }
            let length: Int
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch first {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE, 0xEF: length = 3
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: return false
            }
            guard length <= count - index, second.contains(text[index + 1]) else { return false }
            for offset in 2..<max(2, length) where text[index + offset] & 0xC0 != 0x80 { return false }
            index += length
        }
        return true
    }
}
