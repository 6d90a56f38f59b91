import QuernFormats
import QuernJobs

/// What layers of a checkpoint cost in a scheme, from what was measured of the tensors that a GGUF has of them.
struct LayerCosts {
    private let pieces: LayerPieces
    private let measured: [String: TensorCosts]
    private let method: Recipe.Method

    /// - Parameters:
    ///   - model: the checkpoint as a GGUF sees it.
    ///   - method: of the target.
    /// - Throws: `QuernError` `.unsupported` where nothing is known of the model's forward pass.
    init(_ sensitivity: SensitivityFile, model: SourceModel, method: Recipe.Method) throws {
        let graph = try DecoderGraph.of(model, toBe: "measured", remedy: "Name a scheme without a size.")
        pieces = LayerPieces(model, inputs: graph.linearInputs)
        measured = Dictionary(sensitivity.tensors.map { ($0.tensor, $0) }, uniquingKeysWith: { first, _ in first })
        self.method = method.measured
    }

    /// - Parameter scheme: nil for a layer that stays as it is.
    /// - Returns: nats; nil where the scheme was not measured.
    /// - Throws: `.invalidInput` where the layer was not measured, or is of another shape.
    func cost(of tensor: StoredCheckpoint.Tensor, in scheme: Scheme?) throws -> Double? {
        var missing = tensor.stored.shape.reduce(1, *)
        var sum: Double? = 0
        let inside = pieces.inside(tensor) ?? []
        // Of matrices that lie side by side, others begin there, too.
        for piece in tensor.cut?.strides == nil ? inside : inside.prefix(1) {
            guard let costs = measured[piece.tensor.importanceName], costs.isMeasured(of: piece.tensor),
                let schemes = costs.schemes
            else { break }
            missing -= piece.elements
            guard let scheme else { continue }
            let name = scheme.label + method.suffix
            let share = Double(piece.elements) / Double(max(piece.tensor.elements, 1))
            let cost = schemes.first { $0.scheme == name }?.divergence
            sum = sum.flatMap { sum in cost.map { sum + $0 * share } }
        }
        guard missing == 0 else {
            throw QuernError(
                .invalidInput, "the sensitivity file has no schemes for it, or for another shape", at: tensor.name,
                remedy: "Measure this very checkpoint")
        }
        return sum
    }
}
