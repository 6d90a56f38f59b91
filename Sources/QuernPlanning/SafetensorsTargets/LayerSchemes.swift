import QuernFormats
import QuernJobs

/// Which scheme each linear layer of a checkpoint gets.
struct LayerSchemes {
    struct Group {
        let scheme: Scheme
        /// In the order of the checkpoint.
        fileprivate(set) var layers: [String] = []
    }

    /// That of the target itself first, those without layers left out.
    private(set) var groups: [Group] = []
    /// Linear layers that stay as they are.
    private(set) var ignored: [String] = []
    private(set) var warnings: [String] = []
    /// For each tensor of the checkpoint the layer it is the weights of, and its scheme where it is quantized; nil where
    /// it is no linear layer's.
    private(set) var tensors: [(layer: String, scheme: Scheme?)?] = []
    /// Tensors that the artifact lacks: those that are cut into layers, or else what they would be cut into.
    private(set) var leftOut: Set<Int> = []

    private struct Rule {
        let pattern: LayerPattern
        let scheme: Scheme?
        let text: String
        var isUsed = false
    }

    /// - Throws: `QuernError` `.usage` for unknown schemes, bad patterns, and schemes that differ between layers that
    ///   loaders put together.
    init(_ target: Recipe.CompressedTensorsTarget, of checkpoint: StoredCheckpoint) throws {
        let base = try Scheme(target)
        let layers = try LinearLayers(ignore: target.ignore)
        var rules = try target.layers.map(Self.rule)
        var odd: [String] = []
        var experts: [String] = []
        for tensor in checkpoint.tensors {
            let (kind, layer) = layers.kind(of: tensor.stored)
            guard kind != .other else {
                tensors.append(nil)
                continue
            }
            var scheme: Scheme?
            if kind == .quantized {
                if let rule = rules.firstIndex(where: { $0.pattern.matches(layer) }) {
                    rules[rule].isUsed = true
                    scheme = rules[rule].scheme
                } else {
                    scheme = base
                }
            }
            if let wanted = scheme, !wanted.storage.fits(rows: tensor.stored.shape[0], columns: tensor.stored.shape[1])
            {
                odd.append(layer)
                scheme = nil
            }
            // transformers would leave them out and go on with random numbers.
            if scheme?.storage.layout == .bitsandbytes, LayerName.expert(in: layer) != nil {
                experts.append(layer)
                scheme = nil
            }
            tensors.append((layer, scheme))
        }
        if let experts = experts.firstAndOthers {
            warnings.append("\(target.name): bitsandbytes has no experts; \(experts) are kept as they are")
        }
        try unite(&odd)
        chooseCuts(checkpoint)
        collect(base, checkpoint)
        try refuseMixture()
        warn(of: odd, rules, target.name, checkpoint)
    }

    private static func rule(_ rule: Recipe.LayerRule) throws -> Rule {
        do {
            let pattern = try LayerPattern(rule.pattern)
            let scheme = rule.isNone ? nil : try Scheme(named: rule.scheme)
            return Rule(pattern: pattern, scheme: scheme, text: rule.pattern)
        } catch let error as QuernError {
            throw error.located(in: "layers")
        }
    }

    /// Holds layers that loaders put together to have one scheme. Where the inputs of some are no whole groups, all stay
    /// as they are.
    private mutating func unite(_ odd: inout [String]) throws {
        var places: [String: Int] = [:]
        for (index, tensor) in tensors.enumerated() {
            if let tensor { places[tensor.layer] = index }
        }
        let names = tensors.compactMap { $0?.layer }
        let oddNames = Set(odd)
        for set in FusedLayers.sharingScheme(names) {
            let members = set.compactMap { places[$0] }
            let others = members.filter { tensors[$0].map { !oddNames.contains($0.layer) } ?? false }
            guard let first = others.first else { continue }
            if let other = others.first(where: { tensors[$0]?.scheme != tensors[first]?.scheme }),
                let left = tensors[first], let right = tensors[other]
            {
                throw QuernError(
                    .usage,
                    "vLLM puts \(left.layer) and \(right.layer) together, and they would have different schemes: "
                        + "\(left.scheme?.label ?? "none") and \(right.scheme?.label ?? "none")",
                    at: "layers", remedy: "Give both the same scheme, or ignore both")
            }
            guard others.count < members.count else { continue }
            for index in others where tensors[index]?.scheme != nil {
                odd += tensors[index].map { [$0.layer] } ?? []
                tensors[index]?.scheme = nil
            }
        }
    }

    /// For each tensor whose scale is that of several layers together, the tensors of all of them.
    var sharingScale: [Int: [Int]] {
        var sharing: [Int: [Int]] = [:]
        for members in indices(of: FusedLayers.sharingScale(quantized)) {
            for member in members { sharing[member] = members }
        }
        return sharing
    }

    /// The tensors of quantized layers, those together that must have one scheme; in the order of their first.
    var setsOfOneScheme: [[Int]] {
        let sets = FusedLayers.sharingScheme(quantized)
        let fused = Set(sets.joined())
        let others = quantized.filter { !fused.contains($0) }.map { [$0] }
        return indices(of: sets + others).sorted { ($0.first ?? 0) < ($1.first ?? 0) }
    }

    private var quantized: [String] { tensors.compactMap { $0?.scheme == nil ? nil : $0?.layer } }

    private func indices(of sets: [[String]]) -> [[Int]] {
        let places = Dictionary(
            tensors.enumerated().compactMap { index, tensor in tensor.map { ($0.layer, index) } },
            uniquingKeysWith: { first, _ in first })
        return sets.map { $0.compactMap { places[$0] } }
    }

    /// Layers that are cut out of a tensor are there where they are quantized, and otherwise that tensor as it is.
    private mutating func chooseCuts(_ checkpoint: StoredCheckpoint) {
        for (index, tensor) in checkpoint.tensors.enumerated() {
            guard let whole = tensor.cut?.whole else { continue }
            leftOut.insert(tensors[index]?.scheme == nil ? index : whole)
        }
    }

    private mutating func collect(_ base: Scheme, _ checkpoint: StoredCheckpoint) {
        groups = [Group(scheme: base)]
        for case let (layer, scheme)? in tensors {
            guard let scheme else {
                ignored.append(layer)
                continue
            }
            if let index = groups.firstIndex(where: { $0.scheme == scheme }) {
                groups[index].layers.append(layer)
            } else {
                groups.append(Group(scheme: scheme, layers: [layer]))
            }
        }
        groups.removeAll { $0.layers.isEmpty }
        // Loaders look for experts by the names that they would have.
        ignored += checkpoint.uncutExperts.map { "\($0).0" }
        // Not stored where it shares the embedding's weights, but a layer of the model.
        if !(tensors.contains { $0?.layer == "lm_head" }) { ignored.append("lm_head") }
    }

    /// Only compressed-tensors has several schemes in one folder.
    private func refuseMixture() throws {
        guard let other = groups.first(where: { $0.scheme.storage.layout != .compressedTensors }), groups.count > 1
        else { return }
        throw QuernError(
            .usage, "all layers of a folder in \(other.scheme.name) have this scheme", at: "layers",
            remedy: "Say \(Recipe.LayerRule.none) for layers that are to stay as they are")
    }

    private mutating func warn(of odd: [String], _ rules: [Rule], _ name: String, _ checkpoint: StoredCheckpoint) {
        if let odd = odd.firstAndOthers {
            warnings.append("\(name): \(odd) cannot be cut into whole groups; kept as they are")
        }
        for rule in rules where !rule.isUsed {
            warnings.append("\(name): no layer that would be quantized has a scheme from \(rule.text.quotedForMessage)")
        }
        if let first = checkpoint.uncutExperts.first {
            warnings.append("\(name): no loader knows compressed experts of the kind of \(first); kept as they are")
        }
        if zip(checkpoint.tensors, tensors).contains(where: { $0.cut != nil && $1?.scheme != nil }) {
            warnings.append(
                "\(name): experts that were kept in one tensor become layers of their own; vLLM loads these, and "
                    + "transformers those of the classes that it stores so itself")
        }
        let withExperts = groups.filter { $0.layers.contains { LayerName.expert(in: $0) != nil } }
        if withExperts.count > 1 {
            warnings.append("\(name): transformers loads experts of one scheme only; vLLM loads this")
        }
        for group in withExperts where !group.scheme.hasUnpackableExperts {
            warnings.append("\(name): transformers (5.17) does not load experts in \(group.scheme.label)")
        }
    }
}

extension Scheme {
    /// Whether transformers puts experts together that are stored one by one: of compressed-tensors it unpacks symmetric
    /// integers in words, and FP8 and FP4 whose scales are within rows; what others load of AutoAWQ and GPTQ is theirs.
    fileprivate var hasUnpackableExperts: Bool {
        switch weights {
        case .packed(_, _, let isSymmetric): isSymmetric || storage.layout != .compressedTensors
        case .float, .nvfp4, .mxfp4: true
        case .integer, .floatBlocks, .nf4, .absmax8: false
        }
    }
}
