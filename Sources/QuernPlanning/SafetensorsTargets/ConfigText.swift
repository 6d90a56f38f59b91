import QuernFormats

/// config.json as it is written: numbers keep their digits, and members their order.
enum ConfigText {
    /// An object's text without one of its members.
    /// - Throws: `QuernError` `.invalidInput` for what is no JSON object.
    static func removing(_ key: String, from text: String) throws -> String {
        guard let object = try JSONValue.parse(Array(text.utf8)).object else {
            throw QuernError(.invalidInput, "no object", at: "config.json")
        }
        guard object[key] != nil else { return text }
        let kept = try members(of: Array(text.utf8)).filter { member in
            try JSONValue.parse([UInt8(ascii: "{")] + member + [UInt8(ascii: "}")]).object?[key] == nil
        }
        let joined = kept.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",")
        // What stood behind the last member stays behind it.
        return "{" + joined + (joined.last?.isNewline == true ? "" : "\n") + "}\n"
    }

    /// The texts between the commas of an object.
    private static func members(of json: [UInt8]) -> [ArraySlice<UInt8>] {
        var members: [ArraySlice<UInt8>] = []
        var (depth, start) = (0, 0)
        var (isInString, isEscaped) = (false, false)
        for (index, byte) in json.enumerated() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth == 1 { start = index + 1 }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 1 { members.append(json[start..<index]) }
                depth -= 1
            case UInt8(ascii: ",") where depth == 1:
                members.append(json[start..<index])
                start = index + 1
            default: break
            }
        }
        return members
    }
}
