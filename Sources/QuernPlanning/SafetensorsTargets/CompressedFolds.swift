import QuernFormats
import QuernJobs
import QuernStore

/// What the folds of a model do to the tensors of a checkpoint under a target's schemes.
struct CompressedFolds {
    /// By index of the tensor, in the order of the forward pass.
    private(set) var rescalings: [Int: [Rescaling]] = [:]
    /// For each tensor whose columns are multiplied, the ordinal of the item that finds by what.
    private(set) var balances: [Int: Int] = [:]

    /// What of a checkpoint's tensor a fold changes.
    private struct Change {
        let index: Int
        let kind: Rescaling.Kind
        let first: Int
    }

    /// Takes those folds of which all weights are quantized, and everything lies in tensors of its own.
    init(
        rule: BalanceWork.Rule, schemes: LayerSchemes, of checkpoint: StoredCheckpoint, _ statistics: LayerStatistics,
        _ findings: inout FindingItems
    ) throws {
        let quantized = checkpoint.tensors.indices.filter {
            schemes.tensors[$0]?.scheme != nil && !schemes.leftOut.contains($0)
        }
        let places = TensorPlaces(checkpoint, without: schemes.leftOut)
        let reading = statistics.reading(quantized.map { ($0, checkpoint.tensors[$0]) })
        for fold in statistics.folds where rule == .search || fold.isOfNorm {
            guard let readers = reading[fold.input.name]?[fold.matrix], !readers.isEmpty,
                let reference = statistics.reference(for: checkpoint.tensors[readers[0]]),
                let made = Self.changes(fold, places, statistics, schemes)
            else { continue }
            let weights = readers.compactMap { index -> FindingItems.Reader? in
                guard let scheme = schemes.tensors[index]?.scheme, let source = checkpoint.tensors[index].source,
                    let component = scheme.components.first
                else { return nil }
                let stored = checkpoint.tensors[index].stored
                return FindingItems.Reader(
                    tensor: source, matrix: nil,
                    encoding: .component(
                        component,
                        QuantizedWeight(
                            storage: scheme.storage, source: stored.type, rows: stored.shape[0],
                            rounding: QuantizedWeight.Rounding(searches: true))))
            }
            let norm = made.norm.flatMap { norm in
                checkpoint.tensors[norm.index].source.map {
                    FindingItems.NormWeight(tensor: $0, type: $0.type, addend: norm.addend)
                }
            }
            let item = try findings.balance(
                reference, rule, readers: weights, norm: norm,
                columns: statistics.gramColumns(for: checkpoint.tensors[readers[0]]) ?? fold.channels)
            for index in readers {
                balances[index] = item
                rescalings[index, default: []].append(
                    Rescaling(
                        item: item, kind: .inputs, first: 0, count: checkpoint.tensors[index].stored.shape[0]))
            }
            for change in made.changes {
                rescalings[change.index, default: []].append(
                    Rescaling(
                        item: item, kind: change.kind, first: change.first, count: fold.channels,
                        addend: made.norm?.index == change.index ? made.norm?.addend ?? 0 : 0))
            }
        }
    }

    /// What is divided where a fold is made.
    /// - Returns: nil where it is no part of a tensor, or stands in a weight that is not quantized.
    private static func changes(
        _ fold: Fold, _ places: TensorPlaces, _ statistics: LayerStatistics, _ schemes: LayerSchemes
    ) -> (changes: [Change], norm: (index: Int, addend: Float)?)? {
        var changes: [Change] = []
        /// Elements of a norm or bias, which no scheme changes.
        func elements(_ name: String, first: Int) -> SourceTensor? {
            guard let tensor = statistics.tensors[name],
                let place = places.find(tensor, first: first, count: fold.channels, of: 1),
                schemes.tensors[place.index] == nil
            else { return nil }
            changes.append(Change(index: place.index, kind: .elements, first: place.first))
            return tensor
        }
        switch fold.producer {
        case .norm(let norm):
            guard let tensor = elements(norm.weight, first: 0), let index = changes.first?.index else { return nil }
            if let bias = norm.bias, elements(bias, first: 0) == nil { return nil }
            return (changes, (index, tensor.addend ?? 0))
        case .rows(let weight, let first, let bias):
            guard let tensor = statistics.tensors[weight],
                let place = places.find(tensor, first: first, count: fold.channels, of: tensor.columns),
                schemes.tensors[place.index].map({ $0.scheme != nil }) == true
            else { return nil }
            changes.append(Change(index: place.index, kind: .outputs, first: place.first))
            if let bias, elements(bias, first: first) == nil { return nil }
            return (changes, nil)
        }
    }
}

/// Which tensor of a checkpoint holds what a tensor of the GGUF is made of.
private struct TensorPlaces {
    private let tensors: [(index: Int, tensor: StoredCheckpoint.Tensor, place: LayerStatistics.Place)]

    init(_ checkpoint: StoredCheckpoint, without leftOut: Set<Int>) {
        tensors = checkpoint.tensors.enumerated().compactMap { index, tensor in
            guard !leftOut.contains(index), tensor.cut?.strides == nil,
                let place = LayerStatistics.Place(tensor.origin, offset: tensor.stored.offset)
            else { return nil }
            return (index, tensor, place)
        }.sorted { $0.place < $1.place }
    }

    /// - Parameters:
    ///   - first: of `count` rows, counted through all matrices.
    ///   - columns: of a row.
    /// - Returns: the tensor, and which of its rows is the first; nil where they are no neighbours in one tensor.
    func find(_ tensor: SourceTensor, first: Int, count: Int, of columns: Int) -> (index: Int, first: Int)? {
        guard tensor.scales.isEmpty, let rowBytes = tensor.type.bytes(elements: columns).map(UInt64.init), rowBytes > 0
        else { return nil }
        var start = UInt64(first) * rowBytes
        let length = UInt64(count) * rowBytes
        for extent in tensor.extents {
            guard start >= extent.length else {
                guard extent.strides == nil, extent.length - start >= length else { return nil }
                return find(extent.origin, offset: extent.offset + start, length: length, rowBytes: rowBytes)
            }
            start -= extent.length
        }
        return nil
    }

    private func find(
        _ origin: Extent.Origin, offset: UInt64, length: UInt64, rowBytes: UInt64
    ) -> (index: Int, first: Int)? {
        guard let place = LayerStatistics.Place(origin, offset: offset) else { return nil }
        let next = tensors.partitioningIndex { $0.place > place }
        guard next > 0 else { return nil }
        let (index, tensor, _) = tensors[next - 1]
        let stored = tensor.stored
        guard tensor.origin == origin, offset >= stored.offset,
            offset + length <= stored.offset + stored.length, (offset - stored.offset) % rowBytes == 0
        else { return nil }
        return (index, Int((offset - stored.offset) / rowBytes))
    }
}
