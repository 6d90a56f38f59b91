import QuernFormats
import QuernJobs
import QuernStore

/// What is known of the inputs of a checkpoint's linear layers.
///
/// Statistics go by the names of GGUF tensors, which are cut from the checkpoint's: a layer reads what the tensors read
/// whose bytes lie within its own.
struct LayerStatistics {
    /// Where bytes lie. All values of a quantized matrix are where its numbers begin: matrices are never cut in two there.
    struct Place: Comparable {
        let file: Int
        let offset: UInt64

        /// - Returns: nil for what lies in no file.
        init?(_ origin: Extent.Origin, offset: UInt64) {
            switch origin {
            case .file(let file): (self.file, self.offset) = (file, offset)
            case .weights(let matrix):
                guard let part = matrix.parts.first(where: { $0.component.holdsWeights }) else { return nil }
                (file, self.offset) = (part.file, part.offset)
            case .blob: return nil
            }
        }

        static func < (a: Place, b: Place) -> Bool { (a.file, a.offset) < (b.file, b.offset) }
    }

    private let pieces: LayerPieces
    private let calibration: CalibrationItems?
    /// Those of the model, by name.
    let tensors: [String: SourceTensor]
    private(set) var vectors: ImportanceVectors

    /// - Parameters:
    ///   - model: the checkpoint as a GGUF sees it, in the same files.
    ///   - origin: of importance.
    /// - Returns: nil where nothing is known.
    /// - Throws: `QuernError` `.unsupported` where nothing is known of the model's forward pass.
    init?(model: SourceModel, calibration: CalibrationItems?, origin: ImportanceVectors.Origin) throws {
        vectors = ImportanceVectors(origin)
        guard calibration != nil || vectors.isPresent else { return nil }
        let inputs =
            try calibration?.inputs
            ?? DecoderGraph.of(
                model, toBe: "matched with an importance matrix", remedy: "Take another method."
            ).linearInputs
        tensors = Dictionary(model.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        pieces = LayerPieces(model, inputs: inputs)
        self.calibration = calibration
    }

    /// Where channels can be rescaled; nothing where nobody calibrates.
    var folds: [Fold] {
        guard let calibration else { return [] }
        let inputs = Set(calibration.inputs)
        return calibration.folds.filter { inputs.contains($0.input) }
    }

    /// Which of some layers read an input: for each matrix of it, by name; only where together they hold all that reads
    /// it.
    func reading(_ layers: [(index: Int, tensor: StoredCheckpoint.Tensor)]) -> [String: [Int: [Int]]] {
        var missing: [String: [Int: Int]] = [:]
        for piece in pieces.all { missing[piece.input.name, default: [:]][piece.matrix, default: 0] += 1 }
        var readers: [String: [Int: [Int]]] = [:]
        for (index, tensor) in layers {
            guard let inside = pieces.inside(tensor), let piece = piece(of: tensor) else { continue }
            readers[piece.input.name, default: [:]][piece.matrix, default: []].append(index)
            missing[piece.input.name]?[piece.matrix]? -= inside.count
        }
        return readers.reduce(into: [:]) { result, input in
            result[input.key] = input.value.filter { missing[input.key]?[$0.key] == 0 }
        }
    }

    /// What a layer reads; nil where nothing is known, or it reads several inputs.
    private func piece(of tensor: StoredCheckpoint.Tensor) -> LayerPieces.Piece? {
        guard let inside = pieces.inside(tensor), let first = inside.first,
            tensor.stored.shape.last == first.input.channels,
            inside.allSatisfy({ $0.input == first.input && $0.matrix == first.matrix })
        else { return nil }
        return first
    }

    /// Where calibration keeps what it has seen of the layer's input; nil where it has seen nothing.
    func reference(for tensor: StoredCheckpoint.Tensor) -> StatisticsReference? {
        guard let calibration, let piece = piece(of: tensor), calibration.inputs.contains(piece.input) else {
            return nil
        }
        // The same for all that read it.
        let name = piece.input.tensors.first(where: { tensors[$0] != nil }) ?? piece.tensor.name
        return StatisticsReference(merged: calibration.merged, tensor: name, matrix: piece.matrix)
    }

    /// - Throws: as `ImportanceVectors.importance`.
    mutating func importance(for tensor: StoredCheckpoint.Tensor) throws(QuernError) -> Importance? {
        guard let piece = piece(of: tensor),
            let whole = try vectors.importance(for: piece.tensor, TensorFacts(piece.tensor))
        else { return nil }
        return Importance(
            vectors: whole.vectors, rowsPerMatrix: max(1, tensor.stored.shape[0]), firstMatrix: piece.matrix)
    }

    /// Columns of the widest block of the Gram matrix of a layer's input; nil where there is none.
    func gramColumns(for tensor: StoredCheckpoint.Tensor) -> Int? {
        guard let widest = calibration?.gramBlock else { return nil }
        return GramLayout(channels: tensor.stored.shape[1], widest: widest).blockColumns
    }
}
