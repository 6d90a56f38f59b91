extension JSONParser {
    /// The string whose opening quote is at `position`; afterwards `position` is behind its closing quote.
    mutating func string() throws(QuernError) -> String {
        let opening = position
        let start = opening + 1
        var end = start
        while end < text.count {
            let byte = text[end]
            if byte == UInt8(ascii: "\"") {
                let run = UnsafeBufferPointer(rebasing: text[start..<end])
                guard let string = String(validating: run, as: UTF8.self) else {
                    throw error("a string is no valid UTF-8", at: opening)
                }
                position = end + 1
                return string
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(opening: opening, firstEscape: end) }
            guard byte >= 0x20 else { throw error("a control character inside a string must be escaped", at: end) }
            end += 1
        }
        throw error("a string has no end", at: opening)
    }

    private mutating func escapedString(opening: Int, firstEscape: Int) throws(QuernError) -> String {
        var bytes = Array(text[(opening + 1)..<firstEscape])
        position = firstEscape
        while position < text.count {
            let byte = text[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                guard let string = String(validating: bytes, as: UTF8.self) else {
                    throw error("a string is no valid UTF-8", at: opening)
                }
                return string
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw error("a control character inside a string must be escaped")
            default:
                bytes.append(byte)
                position += 1
            }
        }
        throw error("a string has no end", at: opening)
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(QuernError) {
        guard position + 1 < text.count else { throw error("a string has no end") }
        let letter = text[position + 1]
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(letter)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"): return try unicodeEscape(into: &bytes)
        default: throw error("unknown escape in a string")
        }
        position += 2
    }

    private mutating func unicodeEscape(into bytes: inout [UInt8]) throws(QuernError) {
        let start = position
        var code = try codeUnit()
        if (0xD800..<0xDC00).contains(code), position + 1 < text.count, text[position] == UInt8(ascii: "\\"),
            text[position + 1] == UInt8(ascii: "u")
        {
            let low = try codeUnit()
            guard (0xDC00..<0xE000).contains(low) else { throw error("an unpaired surrogate", at: start) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error("an unpaired surrogate", at: start) }
        bytes.append(contentsOf: String(scalar).utf8)
    }

    /// The four digits of the `\uXXXX` at `position`, which moves behind them.
    private mutating func codeUnit() throws(QuernError) -> UInt32 {
        guard position + 6 <= text.count else { throw error("\\u wants four hexadecimal digits") }
        var code: UInt32 = 0
        for index in 2..<6 {
            guard let digit = Character(Unicode.Scalar(text[position + index])).hexDigitValue,
                text[position + index] < 0x80
            else { throw error("\\u wants four hexadecimal digits") }
            code = code << 4 | UInt32(digit)
        }
        position += 6
        return code
    }

    /// The number that begins at `position`, which moves behind it.
    mutating func number() throws(QuernError) -> JSONValue {
        let start = position
        let negative = text[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        let leading = position
        var magnitude: UInt64 = 0
        var fits = true
        while position < text.count, let digit = digit(at: position) {
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            fits = fits && !overflow && !carry
            magnitude = sum
            position += 1
        }
        guard position > leading else { throw error("a number has no digits", at: start) }
        guard position == leading + 1 || text[leading] != UInt8(ascii: "0") else {
            throw error("a number begins with 0", at: start)
        }
        var integral = true
        if position < text.count, text[position] == UInt8(ascii: ".") {
            integral = false
            position += 1
            try digits(of: "fraction", start: start)
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            integral = false
            position += 1
            if position < text.count, text[position] == UInt8(ascii: "+") || text[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits(of: "exponent", start: start)
        }
        // -0 is no integer that could be told from 0
        if integral, fits, !(negative && magnitude == 0) {
            if negative, magnitude <= UInt64(Int64.max) + 1 {
                return .integer(Int64(truncatingIfNeeded: 0 &- magnitude))
            }
            if !negative, magnitude <= UInt64(Int64.max) { return .integer(Int64(magnitude)) }
        }
        guard position - start <= 1024 else { throw error("a number of more than 1024 characters", at: start) }
        let written = String(decoding: UnsafeBufferPointer(rebasing: text[start..<position]), as: UTF8.self)
        guard let value = Double(written), value.isFinite else {
            throw error("the number \(written.quotedForMessage) is too large", at: start)
        }
        return .double(value)
    }

    private mutating func digits(of part: StaticString, start: Int) throws(QuernError) {
        let first = position
        while position < text.count, digit(at: position) != nil { position += 1 }
        guard position > first else { throw error("a number has no digits in its \(part)", at: start) }
    }

    private func digit(at index: Int) -> UInt8? {
        let value = text[index] &- UInt8(ascii: "0")
        return value < 10 ? value : nil
    }
}
