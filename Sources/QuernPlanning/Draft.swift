import QuernFormats
import QuernJobs

/// A plan in the making: which tensor each target gets in which type, and what stands against it.
struct Draft {
    /// A target's types, in the order of the artifact.
    struct Choice {
        /// As the artifact is called.
        let name: String
        let preset: Preset
        /// What stands for it in metadata, where types are chosen for a size.
        var goal: String?
        let tensors: [PlannedTensor]
        var outputs: [EncodeOutput]
        var types: [ElementType] { outputs.compactMap(\.encoding.type) }
    }

    var choices: [Choice] = []
    /// For each tensor in the order of the artifact, the source file that holds it.
    var files: [Int] { tensors.map(\.place.file) }
    private(set) var refusals: [Refusal] = []
    var warnings: [String] = []
    private(set) var vectors: ImportanceVectors
    let cutter: SpanCutter

    private let model: ModelFacts
    /// In the order of the artifact.
    let tensors: [SourceTensor]
    private let facts: [TensorFacts]
    private let ranges: [Result<[RowRange], QuernError>]
    private let quantizedAs: String?

    /// - Parameters:
    ///   - model: of the source before blocks were left out, as the rules of llama.cpp see it.
    ///   - keepsOrder: whether tensors stay in the order of the source's files.
    init(source: SourceModel, model: ModelFacts, importance: ImportanceVectors, keepsOrder: Bool) throws {
        guard !source.tensors.isEmpty else {
            throw QuernError(.invalidInput, "there is no tensor in it", at: source.name)
        }
        var ordered = source.tensors.map { (tensor: $0, facts: TensorFacts($0)) }
            .sorted { TensorFacts.precedes($0.facts, $1.facts) }
        if keepsOrder { ordered.sort { $0.tensor.place < $1.tensor.place } }
        tensors = ordered.map(\.tensor)
        facts = ordered.map(\.facts)
        self.model = model
        quantizedAs = source.quantizedAs
        let cutter = SpanCutter(tensors: tensors)
        self.cutter = cutter
        ranges = tensors.map { tensor in Result { () throws(QuernError) in try cutter.ranges(of: tensor) } }
        vectors = importance
    }

    /// Chooses a target's types and notes what refuses them.
    /// - Parameter types: by name, what is settled already.
    /// - Throws: `QuernError` `.usage` for a pattern that is no regular expression.
    mutating func add(
        _ target: Recipe.GGUFTarget, name: String, preset: Preset, types: [String: ElementType] = [:],
        encoder: Recipe.BlockEncoder, allowRequantize: Bool
    ) throws {
        var chooser = TypeChooser(
            preset: preset, target: target, rules: try target.tensors.map(TensorNameRule.init), model: model,
            facts: facts, hasImportance: vectors.isPresent, allowRequantize: allowRequantize)
        var planned: [PlannedTensor] = []
        var outputs: [EncodeOutput] = []
        var unweighted: [String] = []
        for (index, tensor) in tensors.enumerated() {
            var type = tensor.type
            var importance: Importance?
            do throws(QuernError) {
                if let settled = types[tensor.name] {
                    type = settled
                } else {
                    type = try chooser.type(of: tensor, facts[index])
                }
                try check(tensor, type, allowRequantize: allowRequantize)
                _ = try ranges[index].get()
                if type != tensor.type, type.usesImportance || (encoder == .refined && type.isRefined) {
                    importance = try vectors.importance(for: tensor, facts[index])
                    // Matrices usually have nothing for head and embedding.
                    let isUsual = [.output, .tokenEmbedding].contains(facts[index].category)
                    if importance == nil, vectors.isPresent, !isUsual { unweighted.append(tensor.name) }
                }
                if importance == nil, type != tensor.type, chooser.needsImportance(type, facts[index]) {
                    throw QuernError(.usage, "\(type) is useless without an importance matrix")
                }
            } catch {
                refuse(name, tensor.name, error.message)
            }
            let bytes = type.bytes(elements: tensor.columns).map { UInt64($0) * UInt64(tensor.rows) } ?? 0
            planned.append(
                PlannedTensor(
                    name: tensor.name, shape: tensor.shape, sourceType: .element(tensor.type), type: .element(type),
                    bytes: bytes))
            outputs.append(EncodeOutput(type: type, importance: importance))
        }
        warn(name, unweighted)
        let goal = try target.goal == nil ? nil : target.preset
        choices.append(Choice(name: name, preset: preset, goal: goal, tensors: planned, outputs: outputs))
    }

    /// Every tensor with all that the targets want of it; only where nothing was refused.
    var encodings: [TensorEncodings] {
        get throws {
            try tensors.indices.map { index in
                TensorEncodings(
                    tensor: tensors[index], ranges: try ranges[index].get(), wanted: choices.map { $0.outputs[index] })
            }
        }
    }

    /// Whether `tensor` can be read and encoded to `type`. What keeps its type is copied, whatever it is.
    private func check(
        _ tensor: SourceTensor, _ type: ElementType, allowRequantize: Bool
    ) throws(QuernError) {
        guard type != tensor.type else { return }
        if !EncodableTypes.contains(type) {
            throw QuernError(.unsupported, "nothing is encoded to \(type)")
        }
        if !EncodableTypes.contains(tensor.type) {
            throw QuernError(.unsupported, "the source has it in \(tensor.type), which is only ever copied")
        }
        let stored = tensor.type.isQuantized ? "\(tensor.type)" : tensor.isDequantized ? quantizedAs : nil
        if let stored, tensor.type.isQuantized || type.isQuantized, !allowRequantize {
            throw QuernError(
                .usage,
                "the source has it in \(stored) already, and encoding it again loses more; --allow-requantize "
                    + "does so")
        }
    }

    private mutating func refuse(_ target: String, _ tensor: String, _ reason: String) {
        refusals.append(Refusal(target: target, tensor: tensor, reason: reason))
    }

    private mutating func warn(_ target: String, _ unweighted: [String]) {
        guard let unweighted = unweighted.firstAndOthers else { return }
        warnings.append("\(target): the importance matrix has nothing for \(unweighted); encoded without it")
    }
}

extension [String] {
    /// `a and 3 others`; nil for none.
    var firstAndOthers: String? {
        first.map { count > 1 ? "\($0) and \(count - 1) others" : $0 }
    }
}
