import QuernFormats
import QuernJobs

/// What a recipe comes to: with all that its targets ask for, and as the manifest has it.
extension Planner {
    /// The recipe as the manifest has it: names in full, nothing of the machine.
    /// - Parameters:
    ///   - isMeasured: whether a measurement is there for the targets' sake alone.
    ///   - rules: types that were chosen for sizes, by target.
    static func resolved(
        _ recipe: Recipe, name: String, names: [String], isMeasured: Bool, rules: [String: [Recipe.TensorRule]]
    ) -> Recipe {
        var resolved = recipe
        resolved.source = SourcePlace.manifestName(of: recipe.source)
        resolved.name = name
        resolved.imatrix = recipe.imatrix.map(baseName)
        if let text = recipe.calibration?.text { resolved.calibration?.text = baseName(text) }
        // What follows from these stands in the targets.
        resolved.sensitivity = nil
        if isMeasured { resolved.measurement = nil }
        if let text = recipe.evaluation?.text { resolved.evaluation?.text = baseName(text) }
        for (index, name) in names.enumerated() {
            switch resolved.targets[index] {
            case .gguf(var target):
                target.preset = (try? Preset(named: target.preset).name) ?? target.preset
                // With the types in it, the recipe repeats the artifact without measurements.
                if (try? target.choosesTypes) == true { target.tensors = rules[name] ?? [] }
                resolved.targets[index] = .gguf(target)
            case .compressedTensors(var target):
                target.scheme = target.scheme.uppercased()
                target.layers = target.layers.map {
                    .init(pattern: $0.pattern, scheme: $0.isNone ? Recipe.LayerRule.none : $0.scheme.uppercased())
                }
                resolved.targets[index] = .compressedTensors(target)
            }
        }
        return resolved
    }

    /// Rules that choose the very types that a target has.
    static func chosenTypes(_ targets: [TargetPlan]) -> [String: [Recipe.TensorRule]] {
        let rules = targets.filter { $0.divergence != nil }.map { target in
            let rules = target.tensors.compactMap { tensor -> Recipe.TensorRule? in
                guard case .element(let type) = tensor.type, type.isQuantized else { return nil }
                return Recipe.TensorRule(
                    pattern: "^\(tensor.name.replacing(".", with: "\\."))$", type: type)
            }
            return (target.target, rules)
        }
        return Dictionary(rules, uniquingKeysWith: { first, _ in first })
    }

    /// The recipe with what its methods ask for.
    /// - Throws: `QuernError` `.usage` for a method without what it needs.
    static func completed(_ recipe: Recipe, asksForCosts: Bool) throws -> Recipe {
        var recipe = recipe
        if asksForCosts, recipe.measurement == nil {
            guard recipe.calibration != nil else {
                throw QuernError(
                    .usage, "which types cost least is not known", at: recipe.targets.first?.name ?? "targets",
                    remedy: "Give a text to calibrate and measure on, or what quern sensitivity has measured")
            }
            recipe.measurement = Recipe.Measurement()
        }
        let makesGGUF = recipe.targets.contains { if case .gguf = $0 { true } else { false } }
        let choosesTypes = makesGGUF || recipe.measurement != nil
        if recipe.encoder == nil, choosesTypes, recipe.calibration != nil { recipe.encoder = .refined }
        if recipe.encoder == .refined, choosesTypes {
            guard recipe.calibration != nil else {
                throw QuernError(
                    .usage, "the refined encoder needs to know what layers read", at: "encoder",
                    remedy: "Give a text to calibrate on; an importance matrix alone does not tell enough")
            }
            // Heads gain as much as other layers.
            recipe.calibration?.processOutput = true
            if recipe.calibration?.gram == nil { recipe.calibration?.gram = Recipe.GramLimits() }
        }
        for target in recipe.targets {
            let method = target.method
            if case .gguf = target, ![.nearest, .awq].contains(method) {
                throw QuernError(
                    .usage, "no GGUF is made by the method \(method.rawValue)", at: target.name,
                    remedy: "Say awq, or nothing: an importance matrix is used where there is one")
            }
            if method.needsGram || method.balance != nil {
                guard recipe.calibration != nil else {
                    throw QuernError(
                        .usage, "\(method.rawValue) needs to know what layers read", at: target.name,
                        remedy: "Give a text to calibrate on")
                }
                if method.needsGram, recipe.calibration?.gram == nil {
                    recipe.calibration?.gram = Recipe.GramLimits()
                }
            } else if method == .imatrix, recipe.calibration == nil, recipe.imatrix == nil {
                throw QuernError(
                    .usage, "the method imatrix needs an importance matrix", at: target.name,
                    remedy: "Give one, or a text to calibrate on")
            }
        }
        return recipe
    }

    /// What artifacts are called: after preset or scheme, and after the method, too, where several targets have the same
    /// scheme.
    static func names(of recipe: Recipe) throws -> [String] {
        guard !recipe.targets.isEmpty || recipe.calibration != nil else {
            throw QuernError(.usage, "the recipe has no targets", remedy: "Name at least one, such as Q4_K_M")
        }
        let schemes = try recipe.targets.map { target in
            switch target {
            case .gguf(let target): try target.artifactName
            case .compressedTensors(let target): try target.artifactName
            }
        }
        var names: [String] = []
        for (target, scheme) in zip(recipe.targets, schemes) {
            let name = schemes.count(where: { $0 == scheme }) == 1 ? scheme : scheme + target.method.suffix
            guard !names.contains(name) else {
                throw QuernError(
                    .usage, "the target \(name) is there twice",
                    remedy: "Their files would have one name: make them in two jobs with different names")
            }
            names.append(name)
        }
        return names
    }
}
