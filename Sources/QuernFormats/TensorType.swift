/// The type of a tensor in an artifact: one of GGUF's, or of safetensors' what GGUF has not. Types of the same name are
/// the same type, and are GGUF's here.
public enum TensorType: Sendable, Hashable {
    case element(ElementType)
    /// Has no `elementType`.
    case stored(SafetensorsType)

    public init(_ type: SafetensorsType) {
        self = type.elementType.map { .element($0) } ?? .stored(type)
    }

    /// The GGUF type; nil where there is none.
    public var element: ElementType? { if case .element(let type) = self { type } else { nil } }

    /// Average bits for one element, block scales included.
    public var bitsPerWeight: Double {
        switch self {
        case .element(let type): type.bitsPerWeight
        case .stored(let type): Double(type.bits)
        }
    }
}

extension TensorType: CustomStringConvertible, Codable {
    /// As GGUF tools print it, or as it stands in a safetensors header: `Q4_K`, `F8_E4M3`.
    public var description: String {
        switch self {
        case .element(let type): type.description
        case .stored(let type): type.rawValue
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        if let type = ElementType(name: name) {
            self = .element(type)
        } else if let type = SafetensorsType(rawValue: name) {
            self = .stored(type)
        } else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown type '\(name)'")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
