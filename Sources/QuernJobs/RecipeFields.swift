import QuernFormats
import Yams

/// A value of a recipe and where it stands.
struct RecipeValue {
    let node: Node
    /// Key path for messages: `targets[1].pure`.
    let path: String
    let file: String

    func refusal(_ message: String, remedy: String = "") -> QuernError {
        let line = node.mark.map { ":\($0.line)" } ?? ""
        return QuernError(.usage, path.isEmpty ? message : "\(path): \(message)", at: file + line, remedy: remedy)
    }

    func text() throws -> String {
        guard case .scalar(let scalar) = node, node.tag != Tag(.null), !scalar.string.isEmpty else {
            throw refusal("expected text")
        }
        return scalar.string
    }

    func flag() throws -> Bool {
        guard let value = node.bool else { throw refusal("expected true or false") }
        return value
    }

    /// Not in the sixties of YAML 1.1, such as 1:30, in which the parser multiplies until it traps.
    private var wholeNumber: Int? {
        guard case .scalar(let scalar) = node, !scalar.string.contains(":") else { return nil }
        return node.int
    }

    func count() throws -> Int {
        guard let value = wholeNumber, value > 0 else { throw refusal("expected a whole number above 0") }
        return value
    }

    func index() throws -> Int {
        guard let value = wholeNumber, value >= 0 else { throw refusal("expected a whole number, 0 or above") }
        return value
    }

    func metadataOverride() throws -> MetadataOverride {
        try parsed { try MetadataOverride($0) }
    }

    /// What `parse` makes of the text; its complaints are placed here.
    private func parsed<Value>(_ parse: (String) throws -> Value) throws -> Value {
        let text = try text()
        do {
            return try parse(text)
        } catch let error as QuernError {
            throw refusal(error.message, remedy: error.remedy)
        }
    }

    func bytes() throws -> UInt64 {
        try parsed { try ByteCount.parse($0) }
    }

    func elementType() throws -> ElementType {
        let name = try text()
        guard let type = ElementType(name: name) else {
            throw refusal(
                "unknown element type '\(name)'",
                remedy: "Encodable are: \(EncodableTypes.all.map(\.description).joined(separator: ", "))")
        }
        return type
    }

    func method() throws -> Recipe.Method {
        let name = try text()
        guard let method = Recipe.Method(rawValue: name.lowercased()) else {
            throw refusal(
                "unknown method '\(name)'",
                remedy: "There are \(Recipe.Method.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return method
    }

    func encoder() throws -> Recipe.BlockEncoder {
        try parsed { try Recipe.BlockEncoder(named: $0) }
    }

    func forward() throws -> ForwardDevice {
        let name = try text()
        guard let device = ForwardDevice(rawValue: name) else {
            throw refusal("'\(name)' computes no models", remedy: "There are cpu and cuda")
        }
        return device
    }

    func list() throws -> [RecipeValue] {
        guard case .sequence(let sequence) = node else { throw refusal("expected a list") }
        return sequence.enumerated().map { RecipeValue(node: $1, path: "\(path)[\($0)]", file: file) }
    }

    /// A mapping of pattern to type, in order, or a list of {pattern, type}.
    func tensorRules() throws -> [Recipe.TensorRule] {
        try rules(Recipe.TensorRule.Key.self, .pattern, .type).map {
            Recipe.TensorRule(pattern: $0, type: try $1.elementType())
        }
    }

    /// A mapping of pattern to scheme, in order, or a list of {pattern, scheme}.
    func layerRules() throws -> [Recipe.LayerRule] {
        try rules(Recipe.LayerRule.Key.self, .pattern, .scheme).map {
            Recipe.LayerRule(pattern: $0, scheme: try $1.text())
        }
    }

    private func rules<Key: RecipeKey>(
        _ keys: Key.Type, _ pattern: Key, _ value: Key
    ) throws -> [(pattern: String, value: RecipeValue)] {
        if case .mapping(let mapping) = node {
            return try mapping.map { key, value in
                let pattern = try RecipeValue(node: key, path: path, file: file).text()
                return (pattern, RecipeValue(node: value, path: "\(path).\(pattern)", file: file))
            }
        }
        return try list().map { entry in
            let fields = try RecipeFields<Key>(entry)
            return (try fields.required(pattern).text(), try fields.required(value))
        }
    }
}

/// A mapping whose keys are all known.
struct RecipeFields<Key: RecipeKey> {
    private let container: RecipeValue
    private let values: [String: RecipeValue]

    init(_ root: Node, file: String) throws {
        try self.init(RecipeValue(node: root, path: "", file: file))
    }

    init(_ value: RecipeValue) throws {
        container = value
        guard case .mapping(let mapping) = value.node else { throw value.refusal("expected keys and values") }
        var found: [String: RecipeValue] = [:]
        for (key, node) in mapping {
            let name = try RecipeValue(node: key, path: value.path, file: value.file).text()
            let line = key.mark.map { ":\($0.line)" } ?? ""
            if let refusal = Key.refusal(of: name, at: value.file + line) { throw refusal }
            let path = value.path.isEmpty ? name : "\(value.path).\(name)"
            found[name] = RecipeValue(node: node, path: path, file: value.file)
        }
        values = found
    }

    subscript(key: Key) -> RecipeValue? { values[key.rawValue] }

    /// - Throws: where one of the keys is there, which do not go with a target of that kind.
    func refuse(_ keys: [Key], of kind: Key) throws {
        guard let key = keys.first(where: { self[$0] != nil }), let value = self[key] else { return }
        throw value.refusal("a target with '\(kind.rawValue)' has no '\(key.rawValue)'")
    }

    func required(_ key: Key) throws -> RecipeValue {
        guard let value = self[key] else { throw container.refusal("'\(key.rawValue)' is missing") }
        return value
    }
}
