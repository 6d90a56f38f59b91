import QuernFormats
import QuernJobs

/// Targets of safetensors in the making: which tensor of a checkpoint each has in which form.
struct CompressedDraft {
    /// A target's tensors, in the order of the source.
    struct Choice {
        /// As the artifact is called.
        let name: String
        let schemes: LayerSchemes
        let tensors: [SafetensorsLayout.Tensor]
        let report: [PlannedTensor]
    }

    let checkpoint: StoredCheckpoint
    let cutter: SpanCutter
    private(set) var choices: [Choice] = []
    private(set) var warnings: [String] = []
    /// Of the first tensor among the plan's encodings.
    private let firstEncoding: Int
    /// For each tensor of the checkpoint, where it has any bytes.
    private let sources: [(tensor: SourceTensor, encoding: Int)?]
    private var wanted: [[EncodeOutput]]

    /// - Parameter firstEncoding: how many encodings of the plan come before those made here.
    init(checkpoint: StoredCheckpoint, firstEncoding: Int) {
        self.checkpoint = checkpoint
        self.firstEncoding = firstEncoding
        var next = firstEncoding
        sources = checkpoint.tensors.map { tensor in
            guard let source = tensor.source else { return nil }
            defer { next += 1 }
            return (source, next)
        }
        wanted = Array(repeating: [], count: next - firstEncoding)
        cutter = SpanCutter(tensors: checkpoint.tensors.filter { $0.cut == nil }.compactMap(\.source))
    }

    /// - Throws: `QuernError` as `LayerSchemes`, `.invalidInput` for a checkpoint without linear layers.
    mutating func add(_ target: Recipe.CompressedTensorsTarget) throws {
        let schemes = try LayerSchemes(target, of: checkpoint)
        var tensors: [SafetensorsLayout.Tensor] = []
        var report: [PlannedTensor] = []
        for (index, tensor) in checkpoint.tensors.enumerated() where !schemes.leftOut.contains(index) {
            let made =
                if let (layer, scheme) = schemes.tensors[index], let scheme {
                    components(of: tensor.stored, layer, scheme, index)
                } else {
                    [copy(of: tensor.stored, index)]
                }
            tensors += made
            report += made.map {
                PlannedTensor(
                    name: $0.name, shape: $0.shape, sourceType: TensorType(tensor.stored.type),
                    type: TensorType($0.type), weights: $0.weights, bytes: $0.bytes)
            }
        }
        guard !schemes.groups.isEmpty else {
            throw QuernError(
                .invalidInput, "there is no linear layer that \(target.name) could be made of", at: checkpoint.name)
        }
        warnings += schemes.warnings
        choices.append(Choice(name: target.name, schemes: schemes, tensors: tensors, report: report))
    }

    /// Every tensor with all that the targets want of it.
    var encodings: [TensorEncodings] {
        get throws {
            try sources.compactMap { $0 }.map { source in
                do throws(QuernError) {
                    let outputs = wanted[source.encoding - firstEncoding]
                    guard !outputs.isEmpty else {
                        return TensorEncodings(tensor: source.tensor, ranges: [], wanted: [])
                    }
                    let isQuantized = outputs.contains { if case .component = $0.encoding { true } else { false } }
                    // The same for all schemes, so that their spans are.
                    let ranges = try cutter.ranges(
                        of: source.tensor, multiple: isQuantized ? WeightFormat.blockLength : 1)
                    return TensorEncodings(tensor: source.tensor, ranges: ranges, wanted: outputs)
                } catch {
                    throw error.located(in: source.tensor.name)
                }
            }
        }
    }

    private mutating func components(
        of tensor: SafetensorsTensor, _ layer: String, _ scheme: Scheme, _ index: Int
    ) -> [SafetensorsLayout.Tensor] {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        let weight = QuantizedWeight(format: scheme.weights, source: tensor.type, rows: rows)
        return scheme.weights.components.map { component in
            SafetensorsLayout.Tensor(
                name: "\(layer).\(component.rawValue)",
                type: scheme.weights.type(of: component, source: tensor.type),
                shape: scheme.weights.shape(of: component, rows: rows, columns: columns),
                weights: component.holdsWeights ? rows * columns : 0,
                encoding: want(EncodeOutput(encoding: .component(component, weight)), of: index))
        }
    }

    private mutating func copy(of tensor: SafetensorsTensor, _ index: Int) -> SafetensorsLayout.Tensor {
        SafetensorsLayout.Tensor(
            name: tensor.name, type: tensor.type, shape: tensor.shape, weights: nil,
            encoding: sources[index].flatMap { want(EncodeOutput(type: $0.tensor.type), of: index) })
    }

    /// Notes that a target wants a tensor in a form.
    private mutating func want(_ output: EncodeOutput, of index: Int) -> (tensor: Int, output: EncodeOutput)? {
        guard let encoding = sources[index]?.encoding else { return nil }
        wanted[encoding - firstEncoding].append(output)
        return (encoding, output)
    }
}
