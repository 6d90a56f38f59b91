import QuernFormats

extension SourceModel {
    /// The key that counts a model's blocks.
    var blockCountKey: String { "\(architecture).block_count" }

    /// The model without some of its blocks. Those that stay are counted anew from 0, in their order; the metadata
    /// are left as they are.
    /// - Parameter layers: numbers of blocks of this model.
    /// - Throws: `QuernError` `.usage` for a block that is not there, or where none would stay, `.unsupported` where
    ///   metadata speak of each block.
    func pruned(_ layers: Set<Int>) throws -> SourceModel {
        guard !layers.isEmpty else { return self }
        let blocks = Set(tensors.compactMap { Self.block($0.name)?.number }).sorted()
        if let absent = layers.subtracting(blocks).min() {
            throw QuernError(
                .usage, "there is no block \(absent) to leave out: the model has \(blocks.count)", at: "prune_layers",
                remedy: "Name blocks from \(blocks.first ?? 0) to \(blocks.last ?? 0)")
        }
        let staying = blocks.filter { !layers.contains($0) }
        guard !staying.isEmpty else {
            throw QuernError(.usage, "no block of the model would stay", at: "prune_layers")
        }
        for (key, value) in metadata where key.hasPrefix("\(architecture).") {
            guard case .array(let array) = value, array.count == blocks.count else { continue }
            throw QuernError(
                .unsupported, "the key '\(key)' has a value for each block, and leaving some out would shift them",
                at: "prune_layers", remedy: "Prune the checkpoint before it is converted")
        }
        let numbers = Dictionary(uniqueKeysWithValues: staying.enumerated().map { ($1, $0) })
        let kept = tensors.compactMap { tensor -> SourceTensor? in
            guard let block = Self.block(tensor.name) else { return tensor }
            guard let number = numbers[block.number] else { return nil }
            return SourceTensor(
                name: "blk.\(number).\(block.rest)", shape: tensor.shape, type: tensor.type, extents: tensor.extents,
                scales: tensor.scales, addend: tensor.addend, fixedType: tensor.fixedType, importanceName: tensor.name)
        }
        var hints = hints
        hints.windows = hints.windows.map { windows in
            windows.indices.filter { !layers.contains($0) }.map { windows[$0] }
        }
        return SourceModel(
            name: name, architecture: architecture, metadata: metadata, tensors: kept, files: files, blobs: blobs,
            hints: hints, quantizedAs: quantizedAs)
    }

    /// Number of blocks that tensors belong to.
    var blockCount: Int { Set(tensors.compactMap { Self.block($0.name)?.number }).count }

    private static func block(_ name: String) -> (number: Int, rest: Substring)? {
        guard let match = name.prefixMatch(of: /blk\.(\d+)\./), let number = Int(match.1) else { return nil }
        return (number, name[match.range.upperBound...])
    }
}
