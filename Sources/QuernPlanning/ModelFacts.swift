import QuernFormats

/// What mixture rules ask of a model's metadata.
struct ModelFacts: Sendable {
    let architecture: String
    /// 0 where the metadata have no such key.
    let blocks: Int
    let experts: Int
    /// Query heads for one key-value head, in the first layer; 0 where there are none.
    let grouping: Int
    /// Whether llama.cpp files the model under 70B: eight query heads share a value there, so that attn_v is small.
    let isSeventyBillion: Bool

    init(architecture: String, metadata: [(key: String, value: GGUFValue)]) {
        func number(_ key: String) -> Int? {
            metadata.first { $0.key == "\(architecture).\(key)" }.flatMap { $0.value.firstInteger }
        }
        self.architecture = architecture
        blocks = number("block_count") ?? 0
        experts = number("expert_count") ?? 0
        let heads = number("attention.head_count") ?? 0
        let keyValueHeads = number("attention.head_count_kv") ?? heads
        grouping = keyValueHeads > 0 ? heads / keyValueHeads : 0
        isSeventyBillion =
            switch architecture {
            case "llama": blocks == 80 && experts != 8 && heads != keyValueHeads
            case "qwen2", "deci": blocks == 80
            case "jais2": blocks == 68
            default: false
            }
    }
}

extension GGUFValue {
    /// The number, or the first one of an array of numbers; nil for other values and for what is beyond `Int`.
    fileprivate var firstInteger: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        case .array(.uint8(let values)): values.first.map(Int.init)
        case .array(.int8(let values)): values.first.map(Int.init)
        case .array(.uint16(let values)): values.first.map(Int.init)
        case .array(.int16(let values)): values.first.map(Int.init)
        case .array(.uint32(let values)): values.first.map(Int.init)
        case .array(.int32(let values)): values.first.map(Int.init)
        case .array(.uint64(let values)): values.first.flatMap(Int.init(exactly:))
        case .array(.int64(let values)): values.first.map(Int.init)
        default: nil
        }
    }
}
