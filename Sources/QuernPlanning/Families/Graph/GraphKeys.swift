import QuernFormats

/// Keys of an architecture, read as what they have to be.
struct GraphKeys {
    let architecture: String
    let values: [String: GGUFValue]
    /// Far beyond any model, and sums of products of two stay far from overflow.
    private static let maximum: UInt64 = 1 << 28

    /// - Returns: nil where the key is missing.
    func count(_ key: String) throws -> Int? {
        guard let value = values["\(architecture).\(key)"] else { return nil }
        return try size(value, key)
    }

    func size(_ key: String) throws -> Int {
        guard let size = try count(key), size > 0 else {
            throw Self.fault("it is missing or 0", "key '\(architecture).\(key)'")
        }
        return size
    }

    /// A number for all layers, or the one of this layer where there is a list of them.
    func count(_ key: String, layer: Int) throws -> Int? {
        guard case .array(let array)? = values["\(architecture).\(key)"] else { return try count(key) }
        let value: GGUFValue?
        switch array {
        case .int32(let list): value = list.indices.contains(layer) ? .int32(list[layer]) : nil
        case .uint32(let list): value = list.indices.contains(layer) ? .uint32(list[layer]) : nil
        default: value = nil
        }
        guard let value else { throw Self.fault("it says nothing of layer \(layer)", "key '\(architecture).\(key)'") }
        return try size(value, key)
    }

    func size(_ key: String, layer: Int) throws -> Int {
        guard let size = try count(key, layer: layer), size > 0 else {
            throw Self.fault("it is missing or 0", "key '\(architecture).\(key)'")
        }
        return size
    }

    /// - Returns: nil where the key is missing.
    func number(_ key: String) throws -> Double? {
        guard let value = values["\(architecture).\(key)"] else { return nil }
        guard let number = value.float ?? value.signed.map(Double.init), number.isFinite else {
            throw Self.fault("it is no finite number", "key '\(architecture).\(key)'")
        }
        return number
    }

    func text(_ key: String) -> String? { values["\(architecture).\(key)"]?.text }

    func flag(_ key: String) throws -> Bool? {
        guard let value = values["\(architecture).\(key)"] else { return nil }
        guard case .bool(let flag) = value else {
            throw Self.fault("it is neither true nor false", "key '\(architecture).\(key)'")
        }
        return flag
    }

    /// A list of truth values, one for each layer; nil where the key is missing or no list.
    func flags(_ key: String) -> [Bool]? {
        guard case .array(let array)? = values["\(architecture).\(key)"] else { return nil }
        switch array {
        case .bool(let list): return list
        case .int32(let list): return list.map { $0 != 0 }
        case .uint32(let list): return list.map { $0 != 0 }
        default: return nil
        }
    }

    private func size(_ value: GGUFValue, _ key: String) throws -> Int {
        guard let number = value.unsigned, number <= Self.maximum else {
            throw Self.fault("it is no integer from 0 to \(Self.maximum)", "key '\(architecture).\(key)'")
        }
        return Int(number)
    }

    static func fault(_ message: String, _ place: String) -> QuernError {
        QuernError(
            .invalidInput, message, at: place,
            remedy: "The model contradicts itself: download or convert it again")
    }
}
