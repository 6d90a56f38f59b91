import QuernFormats
import QuernStore

/// From the tensors of a checkpoint to those of a GGUF: names, shapes, and where their values lie.
struct TensorMapping {
    private let family: Family
    private let config: ModelConfig
    private let globals: [String: RuleUse]
    private let layers: [String: RuleUse]
    private static let layerPrefix = "model.layers."

    /// A rule as one of the names says it: an expert's tensors have the expert's number in theirs.
    struct RuleUse {
        let rule: TensorRule
        var isScales = false
    }

    init(family: Family, config: ModelConfig) {
        self.family = family
        self.config = config
        globals = Self.index(family.globalTensors)
        layers = Self.index(family.layerTensors)
    }

    private static func index(_ rules: [TensorRule]) -> [String: RuleUse] {
        var uses: [String: RuleUse] = [:]
        for rule in rules {
            uses[rule.source] = RuleUse(rule: rule)
            if let scales = rule.scales { uses[scales] = RuleUse(rule: rule, isScales: true) }
        }
        return uses
    }

    /// Where a tensor belongs.
    private struct Place {
        let use: RuleUse
        let layer: Int?
        let expert: Int?
    }

    /// All tensors of the artifact: repacked ones, then computed ones, then the others in the order of the shards.
    /// Tensors of experts come where the last expert of a layer is.
    /// - Parameter computed: made from settings.
    /// - Throws: for a tensor without a rule, one of the wrong shape or of a type that holds no plain numbers, one that
    ///   is there twice, and for one that is missing.
    func tensors(of checkpoint: [StoredTensor], after computed: [SourceTensor]) throws -> [SourceTensor] {
        var repacked: [SourceTensor] = []
        var tensors: [SourceTensor] = []
        var found: Set<String> = []
        var made: Set<String> = []
        var gatherings: [String: TensorGathering] = [:]
        for part in checkpoint where !TensorRules.isDroppable(part.tensor.name) {
            let tensor = part.tensor
            guard let name = TextConfig.name(tensor.name) else { continue }
            guard found.insert(name).inserted else {
                throw fault(
                    "it is in two shards", tensor.name, remedy: "Remove the shard that does not belong here")
            }
            guard let place = try place(of: name, tensor.name) else { continue }
            let rule = place.use.rule
            let gathered: [SourceTensor]
            if rule.isOfExperts || rule.scales != nil {
                let key = rule.isOfExperts ? "experts \(place.layer ?? 0)" : "\(rule.source) \(place.layer ?? 0)"
                // Taken out, so that it is not copied for every expert.
                var gathering = gatherings.removeValue(forKey: key) ?? makeGathering(of: rule, layer: place.layer)
                gathered = try gathering.add(part, rule: rule, expert: place.expert, isScales: place.use.isScales)
                gatherings[key] = gathering
            } else {
                gathered = try part.outputs(rule, layer: place.layer, config: config)
            }
            for tensor in gathered {
                guard made.insert(tensor.name).inserted else {
                    throw fault(
                        "another tensor of the checkpoint holds the same values", part.tensor.name,
                        remedy: "Remove the layout of the experts that is not needed")
                }
            }
            if rule.scales != nil { repacked += gathered } else { tensors += gathered }
        }
        try checkComplete(found, made)
        return repacked + computed + tensors
    }

    private func makeGathering(of rule: TensorRule, layer: Int?) -> TensorGathering {
        TensorGathering(
            rules: rule.isOfExperts ? family.layerTensors.filter(\.isOfExperts) : [rule], layer: layer, config: config)
    }

    /// - Returns: nil for what is left out.
    /// - Throws: where no rule speaks of the tensor.
    private func place(of name: String, _ stored: String) throws -> Place? {
        let unknown = QuernError(
            .unsupported, "this model class has no such tensor", at: "tensor \(stored.quotedForMessage)",
            remedy: "Convert the checkpoint with a tool that knows it; a GGUF of any kind works as a source")
        guard name.hasPrefix(Self.layerPrefix) else {
            guard let use = globals[name] else { throw unknown }
            if case .untied = use.rule.presence, config.tiedHead { return nil }
            return Place(use: use, layer: nil, expert: nil)
        }
        let rest = name.dropFirst(Self.layerPrefix.count)
        guard let dot = rest.firstIndex(of: "."), let layer = Self.number(rest[..<dot]) else { throw unknown }
        if layer >= config.layers, family.leavesOutExtraLayers { return nil }
        let (pattern, expert) = Self.withoutExpert(rest[rest.index(after: dot)...])
        guard layer < config.layers, let use = layers[pattern], covers(use.rule, layer) else { throw unknown }
        if let expert, let count = config.experts?.count, expert >= count { throw unknown }
        return Place(use: use, layer: layer, expert: expert)
    }

    /// A number as it is written: without zeros before it.
    private static func number(_ text: Substring) -> Int? {
        guard let number = Int(text), number >= 0, String(number) == text else { return nil }
        return number
    }

    /// `experts.7.x` as `experts.*.x` and 7.
    private static func withoutExpert(_ name: Substring) -> (pattern: String, expert: Int?) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let index = parts.firstIndex(of: "experts"), index + 2 < parts.count,
            let expert = number(parts[index + 1])
        else { return (String(name), nil) }
        return ((parts[...index] + ["*"] + parts[(index + 2)...]).joined(separator: "."), expert)
    }

    private func covers(_ rule: TensorRule, _ layer: Int) -> Bool {
        let dense = config.experts?.leadingDense ?? 0
        return switch rule.layers {
        case .all: true
        case .dense: layer < dense
        case .sparse: layer >= dense
        }
    }

    /// Whatever way a tensor is stored: it has been made of something.
    private func checkComplete(_ found: Set<String>, _ made: Set<String>) throws {
        for rule in family.globalTensors where try isNeeded(rule) {
            guard rule.outputs.allSatisfy({ made.contains($0.target) }) else { throw missing(rule.source) }
        }
        let needed = try family.layerTensors.filter(isNeeded)
        // Experts are made together: where one tensor is missing, none of their rules has made anything.
        var unmade: String?
        for layer in 0..<config.layers {
            for rule in needed where covers(rule, layer) {
                guard !rule.outputs.allSatisfy({ made.contains("blk.\(layer).\($0.target)") }) else { continue }
                let prefix = "\(Self.layerPrefix)\(layer)."
                let sources =
                    rule.isOfExperts
                    ? (0..<(config.experts?.count ?? 1)).map { rule.source.replacing("*", with: "\($0)") }
                    : [rule.source, rule.scales].compactMap { $0 }
                if let absent = sources.first(where: { !found.contains(prefix + $0) }) {
                    throw missing(prefix + absent)
                }
                unmade = unmade ?? prefix + rule.source
            }
        }
        if let unmade { throw missing(unmade) }
    }

    private func isNeeded(_ rule: TensorRule) throws -> Bool {
        switch rule.presence {
        case .always: true
        case .ifSet(let field, let missing): try config.flag(field) ?? missing
        case .ifPresent(let field): ModelConfig.present(config.fields, field) != nil
        case .unlessPresent(let field): ModelConfig.present(config.fields, field) == nil
        case .unlessTied, .untied: !config.tiedHead
        case .optional: false
        }
    }

    private func missing(_ name: String) -> QuernError {
        let isHead = name == "lm_head.weight" && config.tiedHead
        return fault(
            "the checkpoint lacks it", name,
            remedy: isHead
                ? "llama.cpp cannot load a \(family.architecture) whose head is tied to the embeddings"
                : "The download is incomplete, or config.json belongs to another one")
    }

    private func fault(_ message: String, _ tensor: String, remedy: String) -> QuernError {
        QuernError(.invalidInput, message, at: "tensor \(tensor.quotedForMessage)", remedy: remedy)
    }
}
