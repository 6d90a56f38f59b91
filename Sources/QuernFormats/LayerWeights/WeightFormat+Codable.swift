extension WeightFormat: Codable {
    private enum Kind: String, CodingKey {
        case packed, integer, float, floatBlocks, nvfp4, mxfp4, nf4, absmax8
    }

    private struct Packed: Codable {
        let bits: Int
        let group: Int?
        let symmetric: Bool
    }

    private struct Nothing: Codable {}

    public init(from decoder: any Decoder) throws {
        let (kind, container) = try decoder.onlyKey(Kind.self)
        switch kind {
        case .packed:
            let packed = try container.decode(Packed.self, forKey: kind)
            guard [4, 8].contains(packed.bits), packed.group.map({ $0 > 0 && $0 % 2 == 0 }) ?? true else {
                throw DecodingError.dataCorruptedError(
                    forKey: kind, in: container, debugDescription: "no such packed weights")
            }
            self = .packed(bits: packed.bits, group: packed.group, isSymmetric: packed.symmetric)
        case .integer: self = .integer
        case .float: self = .float
        case .floatBlocks: self = .floatBlocks
        case .nvfp4: self = .nvfp4
        case .mxfp4: self = .mxfp4
        case .nf4: self = .nf4
        case .absmax8: self = .absmax8
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Kind.self)
        switch self {
        case .packed(let bits, let group, let isSymmetric):
            try container.encode(Packed(bits: bits, group: group, symmetric: isSymmetric), forKey: .packed)
        case .integer: try container.encode(Nothing(), forKey: .integer)
        case .float: try container.encode(Nothing(), forKey: .float)
        case .floatBlocks: try container.encode(Nothing(), forKey: .floatBlocks)
        case .nvfp4: try container.encode(Nothing(), forKey: .nvfp4)
        case .mxfp4: try container.encode(Nothing(), forKey: .mxfp4)
        case .nf4: try container.encode(Nothing(), forKey: .nf4)
        case .absmax8: try container.encode(Nothing(), forKey: .absmax8)
        }
    }
}
