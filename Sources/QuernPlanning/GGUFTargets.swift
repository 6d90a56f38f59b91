import QuernFormats
import QuernJobs

/// The targets of a recipe that are GGUFs: what each consists of, or what stands against it.
struct GGUFTargets {
    struct Target {
        let report: TargetPlan
        /// Nil where it is refused.
        let planned: PlannedTarget?
    }

    /// Without the blocks that are left out.
    let source: SourceModel
    /// In the order of the recipe.
    let targets: [Target]
    /// Items that find out something for weights.
    let findings: FindingItems
    private let draft: Draft

    var refusals: [Refusal] { draft.refusals }
    var warnings: [String] { draft.warnings }
    var vectors: ImportanceVectors { draft.vectors }
    var cutter: SpanCutter { draft.cutter }
    /// Of all tensors; only where nothing was refused.
    var encodings: [TensorEncodings] { get throws { try draft.encodings } }
    var encodingCount: Int { draft.files.count }

    /// - Parameters:
    ///   - names: of all targets of the recipe.
    ///   - name: of the artifacts.
    ///   - findings: to which those for the targets are added.
    ///   - sensitivity: what tensors cost, for targets of a given size; nil where that is yet to be measured: the smallest
    ///     types stand for those that will be chosen.
    init(
        recipe: Recipe, names: [String], source unpruned: SourceModel, name: String, origin: ImportanceVectors.Origin,
        calibration: CalibrationItems?, findings: FindingItems, sensitivity: SensitivityFile?
    ) throws {
        let model = ModelFacts(
            architecture: unpruned.architecture, metadata: recipe.overrides.applied(to: unpruned.metadata))
        let source = try unpruned.pruned(Set(recipe.pruneLayers))
        let keepsSplit = recipe.split?.keep ?? false
        var findings = findings
        var draft = try Draft(
            source: source, model: model, importance: ImportanceVectors(origin), keepsOrder: keepsSplit)
        let statistics = ArtifactMetadata.Statistics(origin, recipe, name: name)
        func layout(
            of choice: Draft.Choice, stem: String, encoder: Recipe.BlockEncoder
        ) throws -> ArtifactLayout {
            try ArtifactLayout(
                stem: stem,
                metadata: ArtifactMetadata.make(
                    source: source, preset: choice.preset, statistics: statistics,
                    encoder: encoder, goal: choice.goal, overrides: recipe.overrides,
                    blockCount: recipe.pruneLayers.isEmpty ? nil : source.blockCount),
                openKey: calibration == nil ? nil : ArtifactMetadata.chunksKey, tensors: choice.tensors,
                types: choice.types, limits: recipe.split, sourceFiles: keepsSplit ? draft.files : nil)
        }
        var expected: [String: Double] = [:]
        var bounds: [String: ClosedRange<UInt64>] = [:]
        for case (.gguf(let target), let name) in zip(recipe.targets, names) {
            var chosen: [String: ElementType] = [:]
            if try target.choosesTypes, let goal = try target.goal {
                let sizes = try GoalSizes(goal, target, draft, recipe) {
                    try layout(of: $0, stem: name, encoder: $1)
                }
                if let sensitivity {
                    let allocation = try sizes.allocation(sensitivity)
                    chosen = allocation.types
                    expected[name] = allocation.divergence
                } else {
                    chosen = try sizes.smallestTypes()
                    bounds[name] = try sizes.bounds()
                }
            }
            try draft.add(
                target, name: name, preset: try target.base, types: chosen, encoder: recipe.encoder ?? .reference,
                allowRequantize: recipe.allowRequantize)
            if target.method.balance != nil, let calibration {
                try draft.balance(calibration, &findings, allowRequantize: recipe.allowRequantize)
            }
            if recipe.encoder == .refined, let calibration { draft.refine(calibration, &findings) }
        }
        self.findings = findings
        targets = try draft.choices.map { choice in
            let target = choice.name
            guard draft.refusals.allSatisfy({ $0.target != target }) else {
                return Target(report: TargetPlan(target: target, files: [], tensors: choice.tensors), planned: nil)
            }
            let isRefined = choice.outputs.contains { $0.refinement != nil }
            let layout = try layout(
                of: choice, stem: "\(name)-\(target)", encoder: isRefined ? .refined : .reference)
            if let bounds = bounds[target] {
                return Target(
                    report: TargetPlan(target: target, files: [], tensors: [], bounds: bounds),
                    planned: PlannedTarget(target: target, files: layout.files.map { Self.planned($0, choice) }))
            }
            let files = layout.files.map { PlannedArtifact.File(name: $0.name, bytes: $0.size) }
            return Target(
                report: TargetPlan(
                    target: target, files: files, tensors: choice.tensors, divergence: expected[target]),
                planned: PlannedTarget(target: target, files: layout.files.map { Self.planned($0, choice) }))
        }
        self.source = source
        self.draft = draft
    }

    private static func planned(_ file: ArtifactLayout.File, _ choice: Draft.Choice) -> PlannedFile {
        PlannedFile(
            name: file.name, size: file.size, header: file.header, openValue: file.openValue,
            tensors: file.tensors.map { placement in
                let tensor = choice.tensors[placement.tensor]
                return PlannedFile.Placed(
                    name: tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes,
                    offset: placement.offset, encoding: (placement.tensor, choice.outputs[placement.tensor]))
            })
    }
}
