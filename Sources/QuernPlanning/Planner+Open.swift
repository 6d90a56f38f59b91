import QuernFormats
import QuernJobs
import QuernStore

extension Planner {
    /// Reads what a recipe names - the headers of its source, its importance matrix, how large its texts are - and
    /// plans its targets. Blocking.
    /// - Parameter costs: what the items of a plan without it have measured.
    /// - Throws: what opening and planning throw; `.notFound` for a text that is not there.
    public static func plan(_ recipe: Recipe, costs: SensitivityFile? = nil) throws -> Plan {
        try RecipeBounds.check(recipe)
        let needsModel =
            recipe.calibration != nil || recipe.evaluation != nil
            || recipe.targets.contains { $0.needsModel }
        let source = needsModel || recipe.targets.isEmpty ? try SourceModel.open(path: recipe.source) : nil
        let checkpoint = try openCheckpoint(recipe)
        let importance = try recipe.imatrix.map { try ImportanceMatrix.read(path: $0) }
        return try plan(
            recipe: recipe, source: source, checkpoint: checkpoint, importance: importance,
            calibrationText: try recipe.calibration.map { SourceFile(try FileByteSource(path: $0.text)) },
            evaluationText: try recipe.evaluation.map { SourceFile(try FileByteSource(path: $0.text)) },
            sensitivity: try costs ?? recipe.sensitivity.map(SensitivityFile.read))
    }

    /// The checkpoint as it stands, where a target is made of safetensors.
    /// - Throws: `QuernError` `.usage` or `.unsupported` for what such targets cannot be asked.
    private static func openCheckpoint(_ recipe: Recipe) throws -> StoredCheckpoint? {
        let first = recipe.targets.first { if case .compressedTensors = $0 { true } else { false } }
        guard let name = first?.name else { return nil }
        guard recipe.pruneLayers.isEmpty else {
            throw QuernError(.usage, "\(name) has all layers of its source", at: "prune_layers")
        }
        guard !SourcePlace.name(of: recipe.source).lowercased().hasSuffix(".gguf") else {
            throw QuernError(
                .unsupported, "\(name) is made of a checkpoint folder, not of a GGUF", at: recipe.source,
                remedy: "Give the folder with the safetensors files")
        }
        return try StoredCheckpoint.open(
            path: SourcePlace.absolute(recipe.source), allowRequantize: recipe.allowRequantize)
    }
}

extension Recipe.Target {
    /// Whether it takes more than tensors as they are stored: what a GGUF has, or what layers read.
    fileprivate var needsModel: Bool {
        switch self {
        case .gguf: true
        case .compressedTensors(let target): target.method != .nearest || target.goal != nil
        }
    }
}
