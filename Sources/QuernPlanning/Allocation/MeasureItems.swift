import QuernFormats
import QuernJobs
import QuernStore

/// The work items that find out what it costs to have tensors in one type or another: one for each layer, one for
/// embeddings and head, and one that puts together what they found.
struct MeasureItems {
    /// Ordinal of the last.
    let collect: Int

    private static let buffers = 16.0 * Double(1 << 20)
    /// Bytes of logits that are held at a time, and of the weights of a head that stay in memory.
    private static let logits = 192.0 * Double(1 << 20)
    /// Matrices of a tensor of experts that are looked at.
    private static let matrices = 4
    /// How many chunks may be asked for; a text has fewer where it is shorter.
    private static let chunks = 1...1 << 20

    /// - Parameters:
    ///   - recipe: with what its methods ask for.
    ///   - source: the model as it is.
    ///   - findings: to which these are added, and the factors of what tensors read.
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
        guard Self.chunks.contains(measurement.chunks), measurement.layers > 1 else {
            throw QuernError(
                .usage, "1 to \(Self.chunks.upperBound) chunks are needed, and at least two layers", at: "measurement",
                remedy: "Leave chunks and layers out, or give other numbers")
        }
        let graph = try DecoderGraph.of(source, toBe: "measured", remedy: "Choose types by a preset.")
        var outputs = TypeOutputs(
            refiner: recipe.encoder == .refined ? Refiner(calibration, tensors: source.tensors) : nil,
            importance: importance, schemes: source.isConverted ? try SchemeLadder.all : [])
        var layers: [Int?: [SourceTensor]] = [:]
        for tensor in source.tensors where TypeLadder(tensor) != nil {
            layers[TensorFacts(tensor).block, default: []].append(tensor)
        }
        let probed = Self.probed(layers, most: measurement.layers)
        let items = try layers.sorted(by: { ($0.key ?? -1) < ($1.key ?? -1) }).map { layer, tensors in
            var files = ItemFiles()
            let measured = try tensors.map { try outputs.tensor($0, most: Self.matrices, &files, &findings) }
            let isProbed = probed.contains(layer)
            let size = ForwardSize(
                model: source, graph: graph, inputs: [],
                chunks: isProbed ? measurement.chunks * (tensors.count + 1) : 1, chunkTokens: tokenize.chunkTokens)
            let memory = size.memory + Self.memory(of: measured, layer: layer, graph)
            let factors =
                measured.flatMap(\.span.outputs).flatMap { $0.refinement?.factors ?? [] }
                + measured.flatMap(\.inputs).compactMap(\.factor)
            return PlannedItem(
                payload: .measure(
                    MeasureWork(
                        model: source.reference(path: recipe.source), files: files.chosen(from: source.files),
                        tokens: calibration.tokenize, chunkTokens: tokenize.chunkTokens,
                        maximumChunks: measurement.chunks, layer: layer, isProbed: isProbed, tensors: measured,
                        forward: recipe.forward, memory: memory)),
                cost: max(1, Int64(clamping: size.operations / 512)), memory: memory,
                dependencies: Set([calibration.tokenize, calibration.merged] + factors).sorted(),
                label: layer.map { "measure layer \($0)" } ?? "measure embeddings and head")
        }
        let measured = items.compactMap { item -> CollectWork.Layer? in
            guard case .measure(let work) = item.payload else { return nil }
            return CollectWork.Layer(ordinal: findings.add(item), layer: work.layer, isProbed: work.isProbed)
        }
        let work = CollectWork(
            source: source.name, encoder: (recipe.encoder ?? .reference).version,
            text: Planner.baseName(recipe.calibration?.text ?? ""), chunkTokens: tokenize.chunkTokens,
            maximumChunks: measurement.chunks, tokens: calibration.tokenize, measured: measured)
        collect = findings.add(
            PlannedItem(
                payload: .collect(work), cost: 1, memory: Int64(Self.buffers),
                dependencies: [calibration.tokenize] + measured.map(\.ordinal), label: "collect what was measured"))
    }

    /// Embeddings and head, and of all layers with the same kinds of tensors some at equal distances, the first and the
    /// last among them.
    private static func probed(_ layers: [Int?: [SourceTensor]], most: Int) -> Set<Int?> {
        var alike: [Set<String>: [Int]] = [:]
        for case (let layer?, let tensors) in layers.sorted(by: { ($0.key ?? -1) < ($1.key ?? -1) }) {
            alike[Set(tensors.map { CollectWork.kind(of: $0.name, layer: layer) }), default: []].append(layer)
        }
        var probed: Set<Int?> = [nil]
        for layers in alike.values {
            let count = min(most, layers.count)
            for index in 0..<count { probed.insert(layers[(layers.count - 1) * index / max(count - 1, 1)]) }
        }
        return probed
    }

    /// Bytes beside those of the forward pass: the tensors as they are tried, twice; of one of them the Gram matrix in
    /// double and single precision with its factor; logits, and heads.
    private static func memory(of tensors: [MeasureWork.Tensor], layer: Int?, _ graph: DecoderGraph) -> Int64 {
        let tried = tensors.reduce(0.0) { sum, tensor in
            let probe = tensor.span.outputs[tensor.probe].encoding
            return sum + 2 * Double(probe.bytes(rows: tensor.span.rows, columns: tensor.span.columns) ?? 0)
        }
        let widest = Double(tensors.map(\.span.columns).max() ?? 0)
        let heads = Double(layer == nil ? tensors.count + 1 : 1)
        let head = 4 * Double(graph.hiddenSize) * Double(graph.vocabularySize)
        return Int64(clamping: tried + 24 * widest * widest + heads * min(head, logits) + logits + buffers)
    }
}

/// Tensors in all types and schemes that they may be given.
private struct TypeOutputs {
    let refiner: Refiner?
    var importance: ImportanceVectors
    let schemes: [Scheme]

    mutating func tensor(
        _ tensor: SourceTensor, most matrices: Int, _ files: inout ItemFiles, _ findings: inout FindingItems
    ) throws -> MeasureWork.Tensor {
        let vectors = try importance.importance(for: tensor, TensorFacts(tensor))
        let types = TypeLadder(tensor)?.types(hasImportance: vectors != nil) ?? []
        let outputs = types.map { type in
            let refinement = vectors.flatMap {
                refiner?.refinement(of: tensor, in: type, importance: $0, &findings)
            }
            return EncodeOutput(
                encoding: .blocks(type), importance: type.usesImportance || refinement != nil ? vectors : nil,
                refinement: refinement)
        }
        let schemes = measured(tensor, rows: vectors?.rowsPerMatrix)
        return MeasureWork.Tensor(
            span: try findings.span(of: tensor, outputs: outputs, &files),
            probe: types.firstIndex(of: TypeLadder.probe(of: types)) ?? 0,
            inputs: vectors.flatMap {
                refiner?.inputs(
                    of: tensor, importance: $0, most: matrices, isFactored: !schemes.isEmpty, &findings)
            } ?? [], schemes: schemes)
    }

    /// Schemes that matrices of a tensor may be stored in, by all methods that differ in what is lost.
    /// - Parameter rows: of a matrix; nil where nothing is known of what it reads.
    private func measured(_ tensor: SourceTensor, rows: Int?) -> [MeasureWork.Scheme] {
        // Heads and embeddings are not quantized.
        guard let rows, refiner != nil, TensorFacts(tensor).block != nil,
            let source = [SafetensorsType.bf16, .f16, .f32].first(where: { $0.elementType == tensor.type })
        else { return [] }
        return schemes.filter { $0.storage.fits(rows: rows, columns: tensor.columns) }.flatMap { scheme in
            SchemeLadder.methods.map {
                MeasureWork.Scheme(
                    name: scheme.label + $0.suffix, storage: scheme.storage, source: source, method: $0)
            }
        }
    }
}
