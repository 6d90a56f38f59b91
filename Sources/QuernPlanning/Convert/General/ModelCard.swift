import QuernJobs
import Yams

/// The front matter of a model's README.md: what the authors say about it.
struct ModelCard {
    private let fields: Node.Mapping

    static var empty: ModelCard { ModelCard(fields: Node.Mapping([])) }

    private init(fields: Node.Mapping) { self.fields = fields }

    /// - Parameter readme: the text of README.md. Without front matter, or where that is no YAML mapping, over a
    ///   megabyte or made to take for ever, the card is empty: a model works as well without one.
    init(readme: String) {
        let lines = readme.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---") else {
            self = .empty
            return
        }
        guard lines[1..<end].reduce(0, { $0 + $1.utf8.count }) <= 1 << 20 else {
            self = .empty
            return
        }
        // Cards have been seen that indent with tabs, which YAML forbids.
        let yaml = lines[1..<end].joined(separator: "\n").replacing("\t", with: "  ") + "\n"
        fields = (try? YAMLText.compose(yaml, name: "README.md"))?.mapping ?? Node.Mapping([])
    }

    /// The first of `keys` that has a scalar.
    func text(_ keys: String...) -> String? {
        for key in keys {
            if let value = fields[Node(key)].flatMap(Self.text) { return value }
        }
        return nil
    }

    /// The items of a list, or the one scalar, of every one of `keys`.
    /// - Returns: nil where none of the keys is there.
    func texts(_ keys: String...) -> [String]? {
        var found: [String]?
        for key in keys {
            guard let node = fields[Node(key)], !Self.isNull(node) else { continue }
            found = (found ?? []) + Self.items(node).compactMap(Self.text)
        }
        return found
    }

    /// What is told about other models or data sets under the first of `keys` that is there: a name, or fields.
    func references(_ keys: String...) -> [Reference]? {
        guard let node = keys.lazy.compactMap({ fields[Node($0)] }).first else { return nil }
        guard !Self.isNull(node) else { return [] }
        return Self.items(node).compactMap { item in
            if let text = Self.text(item) { return .named(text) }
            guard let mapping = item.mapping else { return nil }
            var described: [String: String] = [:]
            for (key, value) in mapping {
                if let key = Self.text(key), let value = Self.text(value) { described[key] = value }
            }
            return .described(described)
        }
    }

    enum Reference: Equatable {
        /// `org/name`, or an address.
        case named(String)
        /// Fields as GGUF calls them.
        case described([String: String])
    }

    private static func text(_ node: Node) -> String? {
        guard let scalar = node.scalar, !isNull(node) else { return nil }
        return scalar.string
    }

    private static func items(_ node: Node) -> [Node] { node.sequence.map(Array.init) ?? [node] }

    private static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }
}
