import QuernFormats
import QuernJobs
import QuernStore

/// From a recipe and the headers of a source to everything that will be done. Pure: the same arguments give the same
/// plan on every machine.
public enum Planner {
    /// - Parameters:
    ///   - importance: what `recipe.imatrix` names; nil where it names nothing.
    ///   - calibrationText: what `recipe.calibration` names, likewise.
    ///   - evaluationText: what `recipe.evaluation` names, likewise.
    /// - Returns: a plan whose `refusals` say what cannot be made, for all targets at once.
    /// - Throws: `QuernError` `.usage` where the recipe itself is wrong (unknown or repeated presets, a bad pattern or
    ///   name), `.invalidInput` where the source contradicts itself.
    public static func plan(
        recipe: Recipe, source: SourceModel, importance: ImportanceMatrix?, calibrationText: SourceFile? = nil,
        evaluationText: SourceFile? = nil
    ) throws -> Plan {
        let name = try artifactName(recipe, source)
        let presets = try presets(of: recipe)
        try check(recipe.split, source)
        try recipe.overrides.validate()
        let model = ModelFacts(
            architecture: source.architecture, metadata: recipe.overrides.applied(to: source.metadata))
        let calibration = try calibration(recipe, text: calibrationText, model: source)
        let unpruned = source
        let source = try source.pruned(Set(recipe.pruneLayers))
        let origin = try importanceOrigin(recipe, importance, calibration)
        let keepsSplit = recipe.split?.keep ?? false
        var draft = try Draft(
            source: source, model: model, importance: ImportanceVectors(origin), keepsOrder: keepsSplit)
        for (target, preset) in zip(recipe.targets, presets) {
            try draft.add(target, preset: preset, allowRequantize: recipe.allowRequantize)
        }

        let statistics = ArtifactMetadata.Statistics(origin, recipe, name: name)
        var planned: [PlannedTarget] = []
        var targets: [TargetPlan] = []
        for choice in draft.choices {
            guard draft.refusals.allSatisfy({ $0.target != choice.preset.name }) else {
                targets.append(TargetPlan(target: choice.preset.name, files: [], tensors: choice.tensors))
                continue
            }
            let layout = try ArtifactLayout(
                stem: "\(name)-\(choice.preset.name)",
                metadata: ArtifactMetadata.make(
                    source: source, preset: choice.preset, statistics: statistics, overrides: recipe.overrides,
                    blockCount: recipe.pruneLayers.isEmpty ? nil : source.blockCount),
                openKey: calibration == nil ? nil : ArtifactMetadata.chunksKey, tensors: choice.tensors,
                limits: recipe.split, sourceFiles: keepsSplit ? draft.files : nil)
            planned.append(
                PlannedTarget(
                    target: choice.preset.name, layout: layout, tensors: choice.tensors, outputs: choice.outputs))
            let files = layout.files.map { PlannedArtifact.File(name: $0.name, bytes: $0.size) }
            targets.append(TargetPlan(target: choice.preset.name, files: files, tensors: choice.tensors))
        }
        guard draft.refusals.isEmpty else {
            return Plan(
                name: name, source: source, targets: targets, refusals: draft.refusals, warnings: draft.warnings,
                items: [], blobs: [:], peakMemory: 0)
        }

        let work = try WorkItems(
            source: source, calibration: calibration,
            evaluation: try evaluation(recipe, text: evaluationText, model: unpruned), targets: planned,
            encodings: try draft.encodings,
            cutter: draft.cutter, recipe: resolved(recipe, name: name, presets: presets),
            statistics: draft.vectors.digest)
        let blobs = source.blobs.merging(draft.vectors.blobs) { first, _ in first }
            .merging(work.blobs) { first, _ in first }
        return Plan(
            name: name, source: source, targets: targets, refusals: [], warnings: draft.warnings, items: work.items,
            blobs: blobs, peakMemory: work.items.map(\.memory).max() ?? 0)
    }

    /// The recipe as the manifest has it: names in full, nothing of the machine.
    private static func resolved(_ recipe: Recipe, name: String, presets: [Preset]) -> Recipe {
        var resolved = recipe
        resolved.source = baseName(recipe.source)
        resolved.name = name
        resolved.imatrix = recipe.imatrix.map(baseName)
        if let text = recipe.calibration?.text { resolved.calibration?.text = baseName(text) }
        if let text = recipe.evaluation?.text { resolved.evaluation?.text = baseName(text) }
        for (index, preset) in presets.enumerated() { resolved.targets[index].gguf = preset.name }
        return resolved
    }

    private static func presets(of recipe: Recipe) throws -> [Preset] {
        guard !recipe.targets.isEmpty || recipe.calibration != nil else {
            throw QuernError(.usage, "the recipe has no targets", remedy: "Name at least one, such as Q4_K_M")
        }
        var presets: [Preset] = []
        for target in recipe.targets {
            let preset = try Preset(named: target.gguf)
            guard !presets.contains(preset) else {
                throw QuernError(
                    .usage, "the target \(preset.name) is there twice",
                    remedy: "Their files would have one name: make them in two jobs with different names")
            }
            presets.append(preset)
        }
        return presets
    }

    private static func check(_ limits: Recipe.SplitLimits?, _ source: SourceModel) throws {
        guard limits?.maxBytes != 0, (limits?.maxTensors ?? 1) > 0 else {
            throw QuernError(.usage, "split limits must be above 0")
        }
        guard let limits, limits.keep else { return }
        guard limits.maxBytes == nil, limits.maxTensors == nil else {
            throw QuernError(
                .usage, "an artifact that keeps the source's split has no limits of its own", at: "split",
                remedy: "Give either keep or limits")
        }
        guard !source.isConverted else {
            throw QuernError(
                .usage, "only the split of a GGUF can be kept, and the source is another format", at: "split",
                remedy: "Give a largest size instead")
        }
    }

    private static func calibration(
        _ recipe: Recipe, text: SourceFile?, model: SourceModel
    ) throws -> CalibrationItems? {
        guard let calibration = recipe.calibration else { return nil }
        guard recipe.imatrix == nil else {
            throw QuernError(
                .usage, "an importance matrix file and a text to compute one from are given at once",
                at: "calibration", remedy: "Give one of the two")
        }
        guard let text else { throw QuernError(.notFound, "there is no such text", at: calibration.text) }
        return try CalibrationItems(
            calibration, text: text, path: recipe.source, model: model,
            firstOrdinal: recipe.targets.isEmpty ? 0 : model.files.count)
    }

    /// What makes the items of an evaluation once it is known which items make the artifacts.
    private static func evaluation(
        _ recipe: Recipe, text: SourceFile?, model: SourceModel
    ) throws -> (([EvaluateWork.Candidate], Int) throws -> EvaluationItems)? {
        guard let evaluation = recipe.evaluation else { return nil }
        guard !recipe.targets.isEmpty else {
            throw QuernError(
                .usage, "without targets there is nothing to evaluate", at: "evaluation", remedy: "Leave it out")
        }
        guard let text else { throw QuernError(.notFound, "there is no such text", at: evaluation.text) }
        return { candidates, firstOrdinal in
            try EvaluationItems(
                evaluation, text: text, path: recipe.source, model: model, candidates: candidates,
                firstOrdinal: firstOrdinal)
        }
    }

    private static func importanceOrigin(
        _ recipe: Recipe, _ matrix: ImportanceMatrix?, _ calibration: CalibrationItems?
    ) throws -> ImportanceVectors.Origin {
        let isUsed = try restriction(recipe)
        if let calibration {
            let values = calibration.inputs.flatMap { input in
                input.tensors.filter(isUsed).map { ($0, input.channels * input.matrices) }
            }
            return .calibration(Dictionary(values, uniquingKeysWith: { first, _ in first }), merged: calibration.merged)
        }
        guard let matrix else { return .none }
        return .matrix(
            ImportanceMatrix(
                entries: matrix.entries.filter { isUsed($0.key) }, datasets: matrix.datasets,
                chunkCount: matrix.chunkCount))
    }

    /// Which tensors the recipe wants an importance matrix used for, by name.
    private static func restriction(_ recipe: Recipe) throws -> (String) -> Bool {
        let (included, excluded) = (recipe.includeWeights, recipe.excludeWeights)
        guard included.isEmpty || excluded.isEmpty else {
            throw QuernError(
                .usage, "weights are included and excluded at once", at: "include_weights",
                remedy: "Give one of the two lists")
        }
        return { name in
            (included.isEmpty || included.contains { name.contains($0) }) && !excluded.contains { name.contains($0) }
        }
    }

    private static func artifactName(_ recipe: Recipe, _ source: SourceModel) throws -> String {
        let name = recipe.name ?? source.name
        let isPlain = name.utf8.allSatisfy { $0 >= 32 && $0 != 127 && $0 != UInt8(ascii: "/") }
        guard !name.isEmpty, isPlain, !name.hasPrefix("."), name.utf8.count <= 200 else {
            throw QuernError(
                .usage, "'\(name)' cannot be the name of artifacts",
                remedy: "Give a name without slashes and control characters, of at most 200 bytes, not beginning with "
                    + "a dot")
        }
        return name
    }

    /// The last component of a path.
    static func baseName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
