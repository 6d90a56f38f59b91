import QuernFormats

/// A metadata key that every artifact is to have with a given value, written `KEY=TYPE:VALUE`: `llama.rope.scale=float:2`.
/// TYPE is `int` (0 to 2³² − 1), `float`, `bool` or `str`, as llama-quantize has it.
public struct MetadataOverride: Sendable, Equatable {
    public enum Value: Sendable, Equatable {
        case int(UInt32)
        case float(Float)
        case bool(Bool)
        case string(String)
    }

    public let key: String
    public let value: Value

    public init(key: String, value: Value) {
        self.key = key
        self.value = value
    }

    /// - Throws: `QuernError` `.usage`.
    public init(_ text: String) throws {
        guard let sign = text.firstIndex(of: "="), sign != text.startIndex,
            let colon = text[sign...].firstIndex(of: ":")
        else { throw Self.refusal(text, "is not of the form KEY=TYPE:VALUE") }
        let rest = text[text.index(after: colon)...]
        let value: Value?
        switch text[text.index(after: sign)..<colon] {
        case "int": value = UInt32(rest).map { .int($0) }
        case "float": value = Float(rest).flatMap { $0.isFinite ? .float($0) : nil }
        case "bool": value = Bool(String(rest)).map { .bool($0) }
        case "str": value = .string(String(rest))
        default: throw Self.refusal(text, "has an unknown type")
        }
        guard let value else { throw Self.refusal(text, "has a value that is none of its type") }
        self.init(key: String(text[..<sign]), value: value)
    }

    private static func refusal(_ text: String, _ fault: String) -> QuernError {
        QuernError(
            .usage, "'\(text)' \(fault)", at: "override_kv",
            remedy: "Types are int (0 to 4294967295), float, bool (true, false) and str, as in llama.rope.scale=float:2"
        )
    }
}

extension MetadataOverride: Codable, CustomStringConvertible {
    public var description: String {
        switch value {
        case .int(let value): "\(key)=int:\(value)"
        case .float(let value): "\(key)=float:\(value)"
        case .bool(let value): "\(key)=bool:\(value)"
        case .string(let value): "\(key)=str:\(value)"
        }
    }

    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
