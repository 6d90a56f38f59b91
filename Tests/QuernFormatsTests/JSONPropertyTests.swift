import QuernFormats
import TestSupport
import Testing

/// What is written, with any spacing and any choice of escapes, is read back.
struct JSONPropertyTests {
    @Test(arguments: 0..<200)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let value = Self.value(depth: 4, using: &generator)
        let text = Self.written(value, using: &generator)
        #expect(try JSONValue.parse(Array(text.utf8)) == value, "\(text)")
    }

    private static func value(depth: Int, using generator: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .integer(Int64(bitPattern: generator.next()) >> Int64.random(in: 0..<64, using: &generator))
        case 3:
            let double = Double(bitPattern: generator.next())
            return .double(double.isFinite ? double : 0.5)
        case 4: return .string(string(using: &generator))
        case 5:
            return .array(
                (0..<Int.random(in: 0..<6, using: &generator)).map { _ in value(depth: depth - 1, using: &generator) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<30, using: &generator) {
                let key = string(using: &generator)
                let isNew = object[key] == nil
                let member = value(depth: depth - 3, using: &generator)
                #expect(object.append(key, member) == isNew)
            }
            return .object(object)
        }
    }

    private static func string(using generator: inout SeededGenerator) -> String {
        var string = ""
        for _ in 0..<Int.random(in: 0..<6, using: &generator) {
            let bound: UInt32 = [0x20, 0x80, 0x800, 0x1_0000, 0x11_0000].randomElement(using: &generator) ?? 0x80
            if let scalar = Unicode.Scalar(UInt32.random(in: 0..<bound, using: &generator)) {
                string.unicodeScalars.append(scalar)
            }
        }
        return string
    }

    private static func written(_ value: JSONValue, using generator: inout SeededGenerator) -> String {
        let text =
            switch value {
            case .null: "null"
            case .bool(let value): "\(value)"
            case .integer(let value): "\(value)"
            case .double(let value): "\(value)".contains { "eE.".contains($0) } ? "\(value)" : "\(value).0"
            case .string(let value): quoted(value, using: &generator)
            case .array(let values): "[" + values.map { written($0, using: &generator) }.joined(separator: ",") + "]"
            case .object(let object):
                "{"
                    + object.entries.map {
                        quoted($0.key, using: &generator) + " :" + written($0.value, using: &generator)
                    }.joined(separator: ",") + "}"
            }
        let spaces = ["", " ", "\n", "\t", "\r\n  "]
        return (spaces.randomElement(using: &generator) ?? "") + text + (spaces.randomElement(using: &generator) ?? "")
    }

    private static func quoted(_ string: String, using generator: inout SeededGenerator) -> String {
        var quoted = "\""
        for scalar in string.unicodeScalars {
            if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" || Int.random(in: 0..<4, using: &generator) == 0
            {
                for unit in UTF16.encode(scalar) ?? .init() {
                    let digits = String(unit, radix: 16, uppercase: .random(using: &generator))
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
