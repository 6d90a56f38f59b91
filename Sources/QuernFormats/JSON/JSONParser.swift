extension JSONValue {
    /// Parses one JSON text (RFC 8259) of UTF-8 bytes.
    ///
    /// Refused: anything after the value, a key twice in one object, invalid UTF-8, unpaired surrogates, numbers that
    /// no double can hold, a byte order mark, and whatever exceeds `limits`.
    /// - Throws: `QuernError` `.invalidInput` at the byte offset and line; add the file with `located(in:)`.
    public static func parse(_ bytes: [UInt8], limits: JSONLimits = .default) throws(QuernError) -> JSONValue {
        let result = bytes.withUnsafeBufferPointer { text -> Result<JSONValue, QuernError> in
            var parser = JSONParser(text: text, limits: limits)
            do throws(QuernError) {
                return .success(try parser.document())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// A recursive descent over bytes that stay where they are; recursion ends at `limits.depth`.
struct JSONParser {
    let text: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    var position = 0
    private var values = 0

    init(text: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.text = text
        self.limits = limits
    }

    mutating func document() throws(QuernError) -> JSONValue {
        guard text.count <= limits.bytes else {
            throw QuernError(.invalidInput, "JSON text of \(text.count) bytes, at most \(limits.bytes) are allowed")
        }
        let value = try value(depth: 0)
        skipSpace()
        guard position == text.count else { throw error("unexpected \(found) after the value") }
        return value
    }

    private mutating func value(depth: Int) throws(QuernError) -> JSONValue {
        skipSpace()
        values += 1
        guard values <= limits.values else { throw error("more than \(limits.values) values") }
        guard position < text.count else { throw error("a value is missing at the end of the text") }
        switch text[position] {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"):
            try word("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        default: throw error("unexpected \(found), a value should be here")
        }
    }

    private mutating func object(depth: Int) throws(QuernError) -> JSONObject {
        guard depth <= limits.depth else { throw error("nested more than \(limits.depth) deep") }
        var object = JSONObject()
        position += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return object }
        while true {
            skipSpace()
            guard position < text.count, text[position] == UInt8(ascii: "\"") else {
                throw error("unexpected \(found), a key should be here")
            }
            let start = position
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("unexpected \(found) after a key, ':' should be here") }
            let value = try value(depth: depth)
            guard object.append(key, value) else {
                throw error("duplicate key \(key.quotedForMessage)", at: start)
            }
            skipSpace()
            if take(UInt8(ascii: "}")) { return object }
            guard take(UInt8(ascii: ",")) else { throw error("unexpected \(found) in an object, ',' or '}' expected") }
        }
    }

    private mutating func array(depth: Int) throws(QuernError) -> [JSONValue] {
        guard depth <= limits.depth else { throw error("nested more than \(limits.depth) deep") }
        var elements: [JSONValue] = []
        position += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw error("unexpected \(found) in an array, ',' or ']' expected") }
        }
    }

    private mutating func word(_ word: StaticString) throws(QuernError) {
        for index in 0..<word.utf8CodeUnitCount {
            guard position + index < text.count, text[position + index] == word.utf8Start[index] else {
                throw error("unexpected \(found), '\(word)' should be here")
            }
        }
        position += word.utf8CodeUnitCount
    }

    private mutating func skipSpace() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < text.count, text[position] == byte else { return false }
        position += 1
        return true
    }

    private var found: String {
        guard position < text.count else { return "end of the text" }
        let byte = text[position]
        return (0x21...0x7E).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte 0x\(String(byte, radix: 16))"
    }

    func error(_ message: String, at offset: Int? = nil) -> QuernError {
        let offset = offset ?? position
        let line = 1 + text[..<offset].count { $0 == 0x0A }
        return QuernError(.invalidInput, message, at: "byte \(offset), line \(line)")
    }
}
