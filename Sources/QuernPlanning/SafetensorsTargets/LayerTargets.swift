import QuernFormats

/// Names of layers as a configuration lists them, so that transformers and vLLM find the same ones by them.
struct LayerTargets {
    /// What each list of experts is called in expressions.
    private let experts: [Substring: String]

    /// - Parameter layers: all linear layers of the checkpoint.
    init(layers: [String]) {
        let lists = Set(layers.compactMap { LayerName.expert(in: $0)?.list })
        // Loaders put other names in front of a model that is a part of another.
        let short = Dictionary(grouping: lists) { list in
            list.firstRange(of: "layers.").map { list[$0.lowerBound...] } ?? list
        }
        var experts: [Substring: String] = [:]
        for (name, lists) in short {
            for list in lists {
                experts[list] =
                    lists.count == 1 ? #"re:(.*\.)?"# + Self.escaped(name) : "re:" + Self.escaped(list)
            }
        }
        self.experts = experts
    }

    /// Names, or for the experts of a block, which go together, one expression.
    func texts(for layers: [String]) -> [String] {
        var seen: Set<String> = []
        return layers.compactMap { layer in
            guard let list = LayerName.expert(in: layer)?.list, let name = experts[list] else { return layer }
            return seen.insert(name).inserted ? name + #"\.\d+\."# : nil
        }
    }

    private static func escaped(_ name: Substring) -> String {
        name.map { $0.isLetter || $0.isNumber || $0 == "_" ? "\($0)" : "\\\($0)" }.joined()
    }
}
