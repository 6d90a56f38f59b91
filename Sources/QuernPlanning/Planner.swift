import QuernFormats
import QuernJobs
import QuernStore

/// From a recipe and the headers of a source to everything that will be done. Pure: the same arguments give the same
/// plan on every machine.
public enum Planner {
    /// - Parameters:
    ///   - source: what `recipe.source` names, as a GGUF sees it; nil where nobody asks for that.
    ///   - checkpoint: the same as it stands; nil where no target is made of safetensors.
    ///   - importance: what `recipe.imatrix` names; nil where it names nothing.
    ///   - calibrationText: what `recipe.calibration` names, likewise.
    ///   - evaluationText: what `recipe.evaluation` names, likewise.
    ///   - sensitivity: what `recipe.sensitivity` names, likewise, or what the items of a plan without it have measured.
    /// - Returns: a plan whose `refusals` say what cannot be made, for all targets at once.
    /// - Throws: `QuernError` `.usage` where the recipe itself is wrong (unknown or repeated presets, a bad pattern or
    ///   name), `.invalidInput` where the source contradicts itself.
    public static func plan(
        recipe: Recipe, source: SourceModel?, checkpoint: StoredCheckpoint? = nil, importance: ImportanceMatrix?,
        calibrationText: SourceFile? = nil, evaluationText: SourceFile? = nil, sensitivity: SensitivityFile? = nil
    ) throws -> Plan {
        let sourceName = source?.name ?? checkpoint?.name ?? ""
        let name = try artifactName(recipe, sourceName)
        let names = try names(of: recipe)
        try check(recipe.split, source)
        try recipe.overrides.validate()
        let asksForCosts = try recipe.asksForCosts(checkpoint)
        var recipe = try completed(recipe, asksForCosts: asksForCosts)
        let calibration = try calibration(recipe, text: calibrationText, model: source)
        let origin = try importanceOrigin(recipe, importance, calibration)
        let files = source?.files ?? checkpoint?.files ?? []
        // Without targets nobody asks what the files are.
        let hashed = recipe.targets.isEmpty ? 0 : files.count
        var findings = FindingItems(firstOrdinal: hashed + (calibration?.items.count ?? 0), files: files)
        let measured = try source.flatMap { model in
            try recipe.measurement.map {
                try MeasureItems(
                    $0, recipe: recipe, source: model, calibration: calibration, importance: ImportanceVectors(origin),
                    &findings)
            }
        }
        let isOpen = asksForCosts && sensitivity == nil
        let gguf = try source.map {
            try GGUFTargets(
                recipe: recipe, names: names, source: $0, name: name, origin: origin, calibration: calibration,
                findings: findings, sensitivity: sensitivity)
        }
        findings = gguf?.findings ?? findings
        let statistics = try source.flatMap { model in
            checkpoint == nil ? nil : try LayerStatistics(model: model, calibration: calibration, origin: origin)
        }
        var compressed = checkpoint.map {
            CompressedDraft(
                checkpoint: $0, statistics: statistics, firstEncoding: gguf?.encodingCount ?? 0,
                findings: findings)
        }
        for (index, targetName) in names.enumerated() {
            guard case .compressedTensors(let target) = recipe.targets[index], let draft = compressed else { continue }
            let allocation = try draft.allocation(
                target, name: targetName, folder: "\(name)-\(targetName)", sensitivity: sensitivity, model: source,
                limits: recipe.split)
            let settled = allocation?.target ?? target
            try compressed?.add(settled, name: targetName, expected: allocation?.expected)
            recipe.targets[index] = .compressedTensors(settled)
        }

        let refusals = gguf?.refusals ?? []
        let warnings = (calibration?.warnings ?? []) + (gguf?.warnings ?? []) + (compressed?.warnings ?? [])
        var planned: [PlannedTarget] = []
        var targets: [TargetPlan] = []
        var (presets, schemes) = (gguf?.targets[...] ?? [], compressed?.choices[...] ?? [])
        for target in recipe.targets {
            switch target {
            case .gguf:
                guard let next = presets.popFirst() else { continue }
                targets.append(next.report)
                planned += next.planned.map { [$0] } ?? []
            case .compressedTensors:
                guard let choice = schemes.popFirst(), let compressed else { continue }
                let files = try compressed.files(of: choice, folder: "\(name)-\(choice.name)", limits: recipe.split)
                planned.append(PlannedTarget(target: choice.name, files: files))
                if case .bounds(let bounds)? = choice.expected {
                    targets.append(TargetPlan(target: choice.name, files: [], tensors: [], bounds: bounds))
                    continue
                }
                var divergence: Double?
                if case .divergence(let expected)? = choice.expected { divergence = expected }
                targets.append(
                    TargetPlan(
                        target: choice.name, files: files.map { PlannedArtifact.File(name: $0.name, bytes: $0.size) },
                        tensors: choice.report, divergence: divergence))
            }
        }
        guard refusals.isEmpty else {
            return Plan(
                name: name, sourceName: sourceName, targets: targets, refusals: refusals, warnings: warnings,
                items: [], blobs: [:], peakMemory: 0)
        }

        var vectors = gguf?.vectors ?? ImportanceVectors(origin)
        if let others = compressed?.statistics?.vectors { vectors.formUnion(others) }
        let choice = try TypeChoice(sensitivity, targets: targets, recipe: recipe, source: source)
        let work = try WorkItems(
            files: files, calibration: calibration,
            findings: (compressed?.findings ?? findings).items, collect: measured?.collect,
            evaluation: try evaluation(recipe, text: evaluationText, model: source), targets: planned,
            encodings: (try gguf?.encodings ?? []) + (try compressed?.encodings ?? []),
            cutter: gguf?.cutter ?? compressed?.cutter ?? SpanCutter(tensors: []),
            recipe: resolved(recipe, name: name, names: names, isMeasured: asksForCosts, rules: chosenTypes(targets)),
            statistics: vectors.digest,
            choice: choice)
        let blobs = (gguf?.source.blobs ?? [:]).merging(vectors.blobs) { first, _ in first }
            .merging(work.blobs) { first, _ in first }
        // What follows the measuring is planned with what it finds.
        let items = isOpen ? Array(work.items.prefix((measured?.collect ?? 0) + 1)) : work.items
        return Plan(
            name: name, sourceName: sourceName, targets: targets, refusals: [], warnings: warnings, items: items,
            blobs: blobs, peakMemory: work.items.map(\.memory).max() ?? 0)
    }

    private static func check(_ limits: Recipe.SplitLimits?, _ source: SourceModel?) throws {
        guard limits?.maxBytes != 0, (limits?.maxTensors ?? 1) > 0 else {
            throw QuernError(.usage, "split limits must be above 0")
        }
        guard let limits, limits.keep else { return }
        guard limits.maxBytes == nil, limits.maxTensors == nil else {
            throw QuernError(
                .usage, "an artifact that keeps the source's split has no limits of its own", at: "split",
                remedy: "Give either keep or limits")
        }
        guard source?.isConverted == false else {
            throw QuernError(
                .usage, "only the split of a GGUF can be kept, and the source is another format", at: "split",
                remedy: "Give a largest size instead")
        }
    }

    private static func calibration(
        _ recipe: Recipe, text: SourceFile?, model: SourceModel?
    ) throws -> CalibrationItems? {
        guard let calibration = recipe.calibration, let model else { return nil }
        guard recipe.imatrix == nil else {
            throw QuernError(
                .usage, "an importance matrix file and a text to compute one from are given at once",
                at: "calibration", remedy: "Give one of the two")
        }
        guard let text else { throw QuernError(.notFound, "there is no such text", at: calibration.text) }
        return try CalibrationItems(
            calibration, text: text, path: recipe.source, model: model, forward: recipe.forward,
            firstOrdinal: recipe.targets.isEmpty ? 0 : model.files.count)
    }

    /// What makes the items of an evaluation once it is known which items make the artifacts.
    private static func evaluation(
        _ recipe: Recipe, text: SourceFile?, model: SourceModel?
    ) throws -> (([EvaluateWork.Candidate], Int) throws -> EvaluationItems)? {
        guard let evaluation = recipe.evaluation, let model else { return nil }
        guard !recipe.targets.isEmpty else {
            throw QuernError(
                .usage, "without targets there is nothing to evaluate", at: "evaluation", remedy: "Leave it out")
        }
        guard let text else { throw QuernError(.notFound, "there is no such text", at: evaluation.text) }
        return { candidates, firstOrdinal in
            try EvaluationItems(
                evaluation, text: text, path: recipe.source, model: model, candidates: candidates,
                forward: recipe.forward, firstOrdinal: firstOrdinal)
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

    private static func artifactName(_ recipe: Recipe, _ source: String) throws -> String {
        let name = recipe.name ?? source
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
