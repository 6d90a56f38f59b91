import QuernFormats
import QuernJobs
import QuernStore

/// Targets of safetensors in the making: which tensor of a checkpoint each has in which form.
struct CompressedDraft {
    /// A target's tensors, in the order of the source.
    struct Choice {
        let method: Recipe.Method
        /// As the artifact is called.
        let name: String
        let schemes: LayerSchemes
        let tensors: [SafetensorsLayout.Tensor]
        let report: [PlannedTensor]
        /// What is known of it where its schemes are chosen by what they cost.
        let expected: SchemeAllocation.Expected?
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
    /// Of layers' inputs; nil where nobody asks about them.
    private(set) var statistics: LayerStatistics?
    private(set) var findings: FindingItems

    /// - Parameters:
    ///   - statistics: what is known of the inputs of layers; nil for nothing.
    ///   - firstEncoding: how many encodings of the plan come before those made here.
    ///   - findings: items that find out something for weights, to which those of the targets here are added.
    init(checkpoint: StoredCheckpoint, statistics: LayerStatistics?, firstEncoding: Int, findings: FindingItems) {
        self.checkpoint = checkpoint
        self.statistics = statistics
        self.findings = findings
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

    /// - Parameters:
    ///   - name: of the artifact.
    ///   - expected: what is known of it beforehand; nil for nothing.
    /// - Throws: `QuernError` as `LayerSchemes`, `.usage` for what needs to know more of layers' inputs than is known,
    ///   `.invalidInput` for a checkpoint without linear layers.
    mutating func add(
        _ target: Recipe.CompressedTensorsTarget, name: String, expected: SchemeAllocation.Expected? = nil
    ) throws {
        let schemes = try LayerSchemes(target, of: checkpoint)
        try refuse(target.method, of: schemes, name: name)
        let sharing = schemes.sharingScale
        let folds = try folds(schemes, target.method, name: name)
        var tensors: [SafetensorsLayout.Tensor] = []
        var report: [PlannedTensor] = []
        var unknown: [String] = []
        for (index, tensor) in checkpoint.tensors.enumerated() where !schemes.leftOut.contains(index) {
            var made = [SafetensorsLayout.Tensor]()
            let scheme = schemes.tensors[index]?.scheme
            if let layer = schemes.tensors[index]?.layer, let scheme {
                let (rounding, importance) = try rounding(
                    of: index, sharing: sharing[index] ?? [index], scheme, target.method,
                    balance: folds?.balances[index])
                if target.method != .nearest, rounding.factor == nil, importance == nil { unknown.append(layer) }
                made = components(
                    of: tensor.stored, layer, scheme, index, rounding, importance, folds?.rescalings[index] ?? [])
            } else {
                made = [copy(of: tensor.stored, index, folds?.rescalings[index] ?? [])]
            }
            tensors += made
            report += made.map {
                PlannedTensor(
                    name: $0.name, shape: $0.shape, sourceType: TensorType(tensor.stored.type),
                    type: TensorType($0.type), scheme: scheme?.label, weights: $0.weights, bytes: $0.bytes)
            }
        }
        guard !schemes.groups.isEmpty else {
            throw QuernError(
                .invalidInput, "there is no linear layer that \(target.name) could be made of", at: checkpoint.name)
        }
        warnings += schemes.warnings
        if let unknown = unknown.firstAndOthers {
            warnings.append("\(name): nothing is known of what \(unknown) read; scales are searched without it")
        }
        choices.append(
            Choice(
                method: target.method, name: name, schemes: schemes, tensors: tensors, report: report,
                expected: expected))
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
                    let ranges = try cutter.ranges(
                        of: source.tensor, multiple: Self.spanMultiple(source.tensor, outputs))
                    return TensorEncodings(tensor: source.tensor, ranges: ranges, wanted: outputs)
                } catch {
                    throw error.located(in: source.tensor.name)
                }
            }
        }
    }

    /// Rows that spans are multiples of: the same for all schemes, so that their spans are, unless rows are so wide that
    /// not as many fit a span.
    private static func spanMultiple(_ tensor: SourceTensor, _ outputs: [EncodeOutput]) -> Int {
        let needed = outputs.compactMap { output -> Int? in
            guard case .component(_, let weight) = output.encoding else { return nil }
            return weight.storage.rowMultiple(columns: tensor.columns)
        }.max()
        guard let needed else { return 1 }
        let fits = tensor.columns <= maximumBlobBytes / 4 / WeightStorage.spanRows
        return fits ? WeightStorage.spanRows : max(needed, WeightFormat.blockLength)
    }

    private func refuse(_ method: Recipe.Method, of schemes: LayerSchemes, name: String) throws {
        guard method != .nearest, let group = schemes.groups.first(where: { $0.scheme.storage.layout == .bitsandbytes })
        else { return }
        throw QuernError(
            .usage, "\(group.scheme.name) is rounded to nearest and nothing else", at: name,
            remedy: "Leave the method out")
    }

    /// What a method rescales; nil for nothing.
    private mutating func folds(
        _ schemes: LayerSchemes, _ method: Recipe.Method, name: String
    ) throws -> CompressedFolds? {
        guard let rule = method.balance, let statistics else { return nil }
        if let group = schemes.groups.first(where: { $0.scheme.weights == .nvfp4 }) {
            throw QuernError(
                .usage,
                "\(method.rawValue) rescales weights, and the largest of \(group.scheme.name) must be known before",
                at: name, remedy: "Take the method gptq or imatrix for it")
        }
        let folds = try CompressedFolds(rule: rule, schemes: schemes, of: checkpoint, statistics, &findings)
        if folds.rescalings.isEmpty {
            warnings.append("\(name): no channels of this model can be rescaled as \(method.rawValue) does")
        }
        return folds
    }

    /// How the weights of a layer are rounded, and what their columns are weighted by.
    /// - Parameter sharing: the layers that share what a whole tensor has one of.
    private mutating func rounding(
        of index: Int, sharing: [Int], _ scheme: Scheme, _ method: Recipe.Method, balance: Int?
    ) throws -> (QuantizedWeight.Rounding, Importance?) {
        let tensor = checkpoint.tensors[index]
        var rounding = QuantizedWeight.Rounding(searches: method != .nearest)
        var importance: Importance?
        let reference = statistics?.reference(for: tensor)
        if scheme.weights == .nvfp4 {
            if scheme.activations == .nvfp4, reference == nil {
                throw QuernError(
                    .usage, "\(scheme.name) rounds what a layer reads, and nothing is known of what this one reads",
                    at: tensor.name, remedy: "Give a calibration text, ignore the layer, or take NVFP4A16")
            }
            rounding.magnitudes = try findings.scan(
                sharing.compactMap { checkpoint.tensors[$0].source },
                input: scheme.activations == .nvfp4 ? reference : nil)
        }
        if scheme.weights == .nf4, let source = tensor.source {
            rounding.magnitudes = try findings.scan([source], group: scheme.weights.group)
        }
        if method.feedsBack {
            if let reference, let columns = statistics?.gramColumns(for: tensor) {
                rounding.factor = findings.factor(
                    reference, balance: balance, channels: tensor.stored.shape[1], columns: columns)
            }
        } else if method != .nearest {
            importance = try statistics?.importance(for: tensor)
        }
        return (rounding, importance)
    }

    private mutating func components(
        of tensor: SafetensorsTensor, _ layer: String, _ scheme: Scheme, _ index: Int,
        _ rounding: QuantizedWeight.Rounding, _ importance: Importance?, _ rescalings: [Rescaling]
    ) -> [SafetensorsLayout.Tensor] {
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        let weight = QuantizedWeight(storage: scheme.storage, source: tensor.type, rows: rows, rounding: rounding)
        return scheme.components.map { component in
            SafetensorsLayout.Tensor(
                name: "\(layer).\(component.rawValue)",
                type: scheme.storage.type(of: component, source: tensor.type),
                shape: scheme.storage.shape(of: component, rows: rows, columns: columns),
                weights: component.holdsWeights ? rows * columns : 0,
                encoding: want(
                    EncodeOutput(
                        encoding: .component(component, weight), importance: importance, rescalings: rescalings),
                    of: index))
        }
    }

    private mutating func copy(
        of tensor: SafetensorsTensor, _ index: Int, _ rescalings: [Rescaling]
    ) -> SafetensorsLayout.Tensor {
        SafetensorsLayout.Tensor(
            name: tensor.name, type: tensor.type, shape: tensor.shape, weights: nil,
            encoding: sources[index].flatMap {
                want(EncodeOutput(type: $0.tensor.type, rescalings: rescalings), of: index)
            })
    }

    /// Notes that a target wants a tensor in a form.
    private mutating func want(_ output: EncodeOutput, of index: Int) -> (tensor: Int, output: EncodeOutput)? {
        guard let encoding = sources[index]?.encoding else { return nil }
        wanted[encoding - firstEncoding].append(output)
        return (encoding, output)
    }
}
