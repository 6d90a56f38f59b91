import QuernFormats
import QuernJobs
import QuernStore

/// From a recipe and the headers of a source to everything that will be done. Pure: the same arguments give the same
/// plan on every machine.
public enum Planner {
    /// - Parameter importance: what `recipe.imatrix` names; nil where it names nothing.
    /// - Returns: a plan whose `refusals` say what cannot be made, for all targets at once.
    /// - Throws: `QuernError` `.usage` where the recipe itself is wrong (unknown or repeated presets, a bad pattern or
    ///   name), `.invalidInput` where the source contradicts itself.
    public static func plan(recipe: Recipe, source: SourceModel, importance: ImportanceMatrix?) throws -> Plan {
        let name = try artifactName(recipe, source)
        let presets = try presets(of: recipe)
        try check(recipe.split)
        var draft = try Draft(source: source, importance: importance)
        for (target, preset) in zip(recipe.targets, presets) {
            try draft.add(target, preset: preset, allowRequantize: recipe.allowRequantize)
        }

        let imatrix = recipe.imatrix.map(baseName)
        let statistics = importance.flatMap { matrix in
            imatrix.map { ArtifactMetadata.Statistics(file: $0, matrix: matrix) }
        }
        var planned: [PlannedTarget] = []
        var targets: [TargetPlan] = []
        for choice in draft.choices {
            guard draft.refusals.allSatisfy({ $0.target != choice.preset.name }) else {
                targets.append(TargetPlan(target: choice.preset.name, files: [], tensors: choice.tensors))
                continue
            }
            let layout = try ArtifactLayout(
                stem: "\(name)-\(choice.preset.name)",
                metadata: ArtifactMetadata.make(source: source, preset: choice.preset, statistics: statistics),
                tensors: choice.tensors, limits: recipe.split)
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
            source: source, targets: planned, encodings: try draft.encodings, cutter: draft.cutter,
            recipe: resolved(recipe, name: name, presets: presets), statistics: draft.vectors.digest)
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
        for (index, preset) in presets.enumerated() { resolved.targets[index].gguf = preset.name }
        return resolved
    }

    private static func presets(of recipe: Recipe) throws -> [Preset] {
        guard !recipe.targets.isEmpty else {
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

    private static func check(_ limits: Recipe.SplitLimits?) throws {
        guard limits?.maxBytes != 0, (limits?.maxTensors ?? 1) > 0 else {
            throw QuernError(.usage, "split limits must be above 0")
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
    private static func baseName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
