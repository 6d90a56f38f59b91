import QuernFormats
import QuernJobs

extension CompressedDraft {
    /// A target with a scheme for each layer, chosen by what it costs where the target has a size to meet.
    /// - Parameters:
    ///   - name: of the artifact.
    ///   - folder: that its files lie in.
    ///   - model: the checkpoint as a GGUF sees it; needed for sizes.
    /// - Returns: nil where there is nothing to choose.
    /// - Throws: as `SchemeAllocation`.
    func allocation(
        _ target: Recipe.CompressedTensorsTarget, name: String, folder: String, sensitivity: SensitivityFile?,
        model: SourceModel?, limits: Recipe.SplitLimits?
    ) throws -> SchemeAllocation? {
        guard let goal = try target.sizeGoal else { return nil }
        guard let model else { throw QuernError(.internalFault, "nobody has opened the model", at: name) }
        return try SchemeAllocation(target, goal, of: checkpoint, sensitivity: sensitivity, model: model) {
            var trial = self
            try trial.add($0, name: name)
            guard let choice = trial.choices.last else {
                throw QuernError(.internalFault, "a target came to nothing", at: name)
            }
            // Those of weights.
            let files = try trial.files(of: choice, folder: folder, limits: limits).filter { !$0.tensors.isEmpty }
            return ArtifactSize(
                files: files.reduce(0) { $0 + $1.size }, tensors: choice.report.reduce(0) { $0 + $1.bytes },
                weights: choice.report.reduce(0) { $0 + $1.weights })
        }
    }
}
