import QuernFormats
import QuernStore

/// Where a checkpoint holds the matrices of linear layers that a GGUF has in tensors of other names.
struct LayerPieces {
    /// Bytes of a shard that a tensor of the GGUF is made of.
    struct Piece {
        let place: LayerStatistics.Place
        let tensor: SourceTensor
        let input: LinearInput
        /// Which of the input's matrices it multiplies.
        let matrix: Int
        /// Of the tensor.
        let elements: Int
    }

    /// In the order of the files and of their bytes.
    let all: [Piece]

    /// - Parameters:
    ///   - model: the checkpoint as a GGUF sees it, in the same files.
    ///   - inputs: of its linear layers.
    init(_ model: SourceModel, inputs: [LinearInput]) {
        let readers = Dictionary(
            inputs.flatMap { input in input.tensors.map { ($0, input) } }, uniquingKeysWith: { first, _ in first })
        all = model.tensors.flatMap { tensor -> [Piece] in
            guard let input = readers[tensor.name] else { return [] }
            return Self.matrices(of: tensor, input).compactMap { matrix, origin, offset, elements in
                LayerStatistics.Place(origin, offset: offset).map {
                    Piece(place: $0, tensor: tensor, input: input, matrix: matrix, elements: elements)
                }
            }
        }.sorted { $0.place < $1.place }
    }

    /// Where each of a tensor's matrices begins; that of experts which are kept in one.
    private static func matrices(
        of tensor: SourceTensor, _ input: LinearInput
    ) -> [(matrix: Int, origin: Extent.Origin, offset: UInt64, elements: Int)] {
        let bytes = Double(tensor.extents.reduce(0) { $0 + $1.length })
        func elements(_ extent: Extent) -> Int {
            Int((Double(tensor.elements) * Double(extent.length) / max(bytes, 1)).rounded())
        }
        guard input.hasExperts else { return tensor.extents.map { (0, $0.origin, $0.offset, elements($0)) } }
        guard tensor.extents.count == 1, let all = tensor.extents.first else {
            return tensor.extents.enumerated().map { ($0, $1.origin, $1.offset, elements($1)) }
        }
        let step = all.strides.map { UInt64($0.groupStride) } ?? all.length / UInt64(input.matrices)
        return (0..<input.matrices).map {
            ($0, all.origin, all.offset + UInt64($0) * step, tensor.elements / input.matrices)
        }
    }

    /// What of the GGUF's tensors begins within a tensor of the checkpoint; nil for what lies in no file.
    func inside(_ tensor: StoredCheckpoint.Tensor) -> ArraySlice<Piece>? {
        guard let begin = LayerStatistics.Place(tensor.origin, offset: tensor.stored.offset),
            let end = LayerStatistics.Place(
                tensor.origin, offset: tensor.stored.offset + max(tensor.stored.length, 1) - 1)
        else { return nil }
        return all[all.partitioningIndex { $0.place >= begin }...].prefix { $0.place <= end }
    }
}
