extension CompressedCheck {
    /// `total_size` of the index, where there is one, is the size of all tensors.
    func totalSize() -> [CompressedFault] {
        let name = ShardIndex.fileName
        guard checkpoint.shards.count > 1 || (try? checkpoint.json(name)) ?? nil != nil else { return [] }
        let bytes = checkpoint.shards.reduce(UInt64(0)) { $0 + $1.header.tensors.reduce(0) { $0 + $1.length } }
        let found = (try? checkpoint.json(name))?["metadata"]?.object?["total_size"]?.integer
        guard found != Int64(exactly: bytes) else { return [] }
        return [CompressedFault(.totalSize, at: name, expected: "\(bytes)", found: found.map { "\($0)" } ?? "missing")]
    }

    /// transformers refuses files that do not say what wrote them.
    func metadata() -> [CompressedFault] {
        checkpoint.shards.filter { $0.header.metadata["format"] != "pt" }.map {
            CompressedFault(
                .metadata, at: $0.file.name, expected: "format pt", found: $0.header.metadata["format"] ?? "missing")
        }
    }

    /// Layers that config.json names and that are not there.
    func missingTargets() -> [CompressedFault] {
        let present = Set(layers.map(\.name))
        return description.namedTargets.filter { !present.contains($0) }.map {
            CompressedFault(.missingLayer, at: $0, expected: "there", found: "missing")
        }
    }

    /// How many routed experts each block has; nil where config.json does not say it, or says it block by block.
    private var expertCount: Int? {
        let config = checkpoint.config
        guard config["block_configs"] == nil else { return nil }
        let keys = ["num_experts", "num_local_experts", "moe_num_experts", "n_routed_experts"]
        let text = config["text_config"]?.object
        return keys.lazy.compactMap { (config[$0] ?? text?[$0])?.integer }.first.flatMap { Int(exactly: $0) }
    }

    /// All experts of a block are there, with the same tensors.
    func experts() -> [CompressedFault] {
        var order: [Substring] = []
        var lists: [Substring: [Int: Set<Substring>]] = [:]
        for (_, header) in checkpoint.shards {
            for tensor in header.tensors {
                guard let (list, number, rest) = LayerName.expert(in: tensor.name) else { continue }
                if lists[list] == nil { order.append(list) }
                lists[list, default: [:]][number, default: []].insert(rest)
            }
        }
        return order.flatMap { list -> [CompressedFault] in
            guard let experts = lists[list] else { return [] }
            let all = experts.values.reduce(into: Set<Substring>()) { $0.formUnion($1) }
            // What names say may be anything: experts are counted.
            let count = min(max(experts.count, expertCount ?? 0), experts.count + 1)
            if let first = (0..<count).first(where: { experts[$0] == nil }) {
                return [CompressedFault(.experts, at: "\(list).\(first)", expected: "there", found: "missing")]
            }
            return experts.sorted { $0.key < $1.key }.flatMap { number, names in
                all.subtracting(names).sorted().map {
                    CompressedFault(.experts, at: "\(list).\(number)\($0)", expected: "there", found: "missing")
                }
            }
        }
    }
}
