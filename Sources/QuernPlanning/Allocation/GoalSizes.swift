import QuernFormats
import QuernJobs

/// How many bytes the tensors whose types are chosen may take for a target to be as large as it is to be.
struct GoalSizes {
    private let goal: SizeGoal
    private let target: Recipe.GGUFTarget
    private let draft: Draft
    private let recipe: Recipe
    private let layout: (Draft.Choice, Recipe.BlockEncoder) throws -> ArtifactLayout

    /// - Parameters:
    ///   - draft: of the plan so far.
    ///   - layout: of a choice of types in files.
    /// - Throws: `QuernError` `.usage` where the target also says which types tensors have.
    init(
        _ goal: SizeGoal, _ target: Recipe.GGUFTarget, _ draft: Draft, _ recipe: Recipe,
        layout: @escaping (Draft.Choice, Recipe.BlockEncoder) throws -> ArtifactLayout
    ) throws {
        guard !target.pure, target.outputTensorType == nil, target.tokenEmbeddingType == nil, !target.leaveOutputTensor
        else {
            throw QuernError(
                .usage, "types are chosen for a size, and given, at once", at: target.preset,
                remedy: "Leave out --pure and the types of head and embeddings, or name a preset")
        }
        self.goal = goal
        self.target = target
        self.draft = draft
        self.recipe = recipe
        self.layout = layout
    }

    /// - Throws: `QuernError` `.usage` where nothing was measured, or the goal is too small.
    func allocation(_ sensitivity: SensitivityFile?) throws -> Allocation {
        guard let sensitivity else {
            throw QuernError(
                .usage, "which types cost least has not been measured", at: target.preset,
                remedy: "Measure with quern sensitivity, and give the file with --sensitivity")
        }
        let smallest = try Allocation.smallest(sensitivity, of: draft.tensors)
        let trial = try choice(types: smallest)
        let chosen = trial.tensors.filter { smallest[$0.name] != nil }
        let (taken, outside): (UInt64, UInt64)
        let limit: UInt64
        switch goal.limit {
        case .bytes(let bytes): limit = bytes
        case .preset:
            // As anybody makes it.
            var usual = try choice(types: [:])
            usual.goal = nil
            limit = try size(of: usual, encoder: .reference)
        case .bitsPerWeight(let bits):
            let weights = trial.tensors.reduce(0) { $0 + $1.weights }
            limit = UInt64(min(bits * Double(weights) / 8, 1e18))
        }
        if case .bitsPerWeight = goal.limit {
            taken = chosen.reduce(0) { $0 + $1.bytes }
            outside = trial.tensors.reduce(0) { $0 + $1.bytes } - taken
        } else {
            taken = chosen.reduce(0) { $0 + Allocation.padded($1.bytes) }
            outside = try size(of: trial, encoder: recipe.encoder ?? .reference) - taken
        }
        return try Allocation(
            sensitivity, goal: target.preset, tensors: draft.tensors,
            budget: Int64(clamping: limit) - Int64(clamping: outside), outside: outside)
    }

    /// What the draft would have of the target; refusals are those of the target itself, later.
    private func choice(types: [String: ElementType]) throws -> Draft.Choice {
        var draft = draft
        try draft.add(
            target, name: goal.name, preset: target.base, types: types, encoder: recipe.encoder ?? .reference,
            allowRequantize: recipe.allowRequantize)
        guard let choice = draft.choices.last else {
            throw QuernError(.internalFault, "a target came to nothing", at: target.preset)
        }
        return choice
    }

    private func size(of choice: Draft.Choice, encoder: Recipe.BlockEncoder) throws -> UInt64 {
        try layout(choice, encoder).files.reduce(0) { $0 + $1.size }
    }
}
