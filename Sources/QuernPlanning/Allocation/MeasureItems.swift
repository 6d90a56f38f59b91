import QuernFormats
import QuernJobs
import QuernStore

/// The work items that find out what it costs to have tensors in one type or another: one for each layer, and one for
/// embeddings and head.
struct MeasureItems {
    let items: [PlannedItem]

    private static let buffers = 16.0 * Double(1 << 20)
    /// Bytes of logits that are held at a time, and of the weights of a head that stay in memory.
    private static let logits = 192.0 * Double(1 << 20)
    /// Matrices of a tensor of experts that are looked at.
    private static let matrices = 4

    /// - Parameters:
    ///   - recipe: with what its methods ask for.
    ///   - source: the model as it is.
    ///   - findings: to which the factors of what tensors read are added.
    /// - Throws: `QuernError` `.usage` where nothing is calibrated on, `.unsupported` where nothing is known of the forward
    ///   pass.
    init(
        _ measurement: Recipe.Measurement, recipe: Recipe, source: SourceModel, calibration: CalibrationItems?,
        importance: ImportanceVectors, _ findings: inout FindingItems
    ) throws {
        guard let calibration, let text = calibration.items.first, case .tokenize(let tokenize) = text.payload else {
            throw QuernError(
                .usage, "what tensors cost is measured on the text that is calibrated on, and there is none",
                at: "measurement", remedy: "Give a text to calibrate on")
        }
        guard measurement.chunks > 0 else {
            throw QuernError(.usage, "at least one chunk is needed", at: "measurement.chunks")
        }
        let graph = try DecoderGraph.of(source, toBe: "measured", remedy: "Choose types by a preset.")
        let refiner = recipe.encoder == .refined ? Refiner(calibration, tensors: source.tensors) : nil
        let reference = source.reference(path: recipe.source)
        var importance = importance
        var layers: [Int?: [SourceTensor]] = [:]
        for tensor in source.tensors where TypeLadder(tensor) != nil {
            layers[TensorFacts(tensor).block, default: []].append(tensor)
        }
        var items: [PlannedItem] = []
        for (layer, tensors) in layers.sorted(by: { ($0.key ?? -1) < ($1.key ?? -1) }) {
            var files = ItemFiles()
            var needed: Set<Int> = [calibration.tokenize, calibration.merged]
            var bytes = 0.0
            let measured = try tensors.map { tensor in
                let vectors = try importance.importance(for: tensor, TensorFacts(tensor))
                let types = TypeLadder(tensor).map { $0.types(hasImportance: vectors != nil) } ?? []
                let outputs = types.map { type in
                    let refinement = vectors.flatMap {
                        refiner?.refinement(of: tensor, in: type, importance: $0, &findings)
                    }
                    needed.formUnion(refinement?.factors ?? [])
                    return EncodeOutput(
                        encoding: .blocks(type), importance: type.usesImportance || refinement != nil ? vectors : nil,
                        refinement: refinement)
                }
                let probe = types.firstIndex(of: TypeLadder.probe(of: types)) ?? 0
                bytes += Double(types[probe].bytes(elements: tensor.elements) ?? 0)
                bytes = max(bytes, 24 * Double(tensor.columns) * Double(tensor.columns))
                return MeasureWork.Tensor(
                    span: try findings.span(of: tensor, outputs: outputs, &files), probe: probe,
                    inputs: vectors.flatMap { refiner?.inputs(of: tensor, importance: $0, most: Self.matrices) } ?? [])
            }
            let streams = measurement.chunks * (tensors.count + 1)
            let size = ForwardSize(
                model: source, graph: graph, inputs: [], chunks: streams, chunkTokens: tokenize.chunkTokens)
            let heads = Double(layer == nil ? tensors.count + 1 : 1)
            let head = 4 * Double(graph.hiddenSize) * Double(graph.vocabularySize)
            let memory =
                size.memory
                + Int64(clamping: 2 * bytes + heads * min(head, Self.logits) + Self.logits + Self.buffers)
            items.append(
                PlannedItem(
                    payload: .measure(
                        MeasureWork(
                            model: reference, files: files.chosen(from: source.files), tokens: calibration.tokenize,
                            chunkTokens: tokenize.chunkTokens, maximumChunks: measurement.chunks, layer: layer,
                            tensors: measured, memory: memory)),
                    cost: max(1, Int64(clamping: size.operations / 512)), memory: memory,
                    dependencies: needed.sorted(),
                    label: layer.map { "measure layer \($0)" } ?? "measure embeddings and head"))
        }
        self.items = items
    }
}
