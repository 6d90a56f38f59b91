import QuernFormats
import QuernJobs

/// How many bytes the tensors whose types are chosen may take for a target to be as large as it is to be.
struct GoalSizes {
    private let goal: SizeGoal
    private let target: Recipe.GGUFTarget
    private let draft: Draft
    private let recipe: Recipe
    private let layout: (Draft.Choice, Recipe.BlockEncoder) throws -> ArtifactLayout

    /// Bytes of a target.
    private struct Room {
        /// That it may have.
        let limit: UInt64
        /// Of the tensors whose types are chosen, in the types that it was laid out with.
        let chosen: UInt64
        /// Of all else that counts.
        let outside: UInt64
        /// Of its files, in the types that it was laid out with.
        let files: UInt64
        /// What tensors are padded to where they are counted; 1 for nothing.
        let alignment: UInt64
    }

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

    /// - Throws: `QuernError` `.usage` where the goal is too small, `.invalidInput` where the measurements are of another
    ///   model.
    func allocation(_ sensitivity: SensitivityFile) throws -> Allocation {
        let room = try room(smallest: Allocation.smallest(sensitivity, of: draft.tensors))
        let budget = Int64(clamping: room.limit) - Int64(clamping: room.outside)
        guard
            let allocation = try Allocation(
                sensitivity, tensors: draft.tensors, budget: budget, alignment: room.alignment)
        else {
            throw try tooSmall(room)
        }
        return allocation
    }

    /// The smallest type of every tensor whose type is chosen.
    func smallestTypes() throws -> [String: ElementType] {
        var vectors = draft.vectors
        let types = try draft.tensors.compactMap { tensor -> (String, ElementType)? in
            guard let ladder = TypeLadder(tensor) else { return nil }
            let importance = try vectors.importance(for: tensor, TensorFacts(tensor))
            return ladder.types(hasImportance: importance != nil).first.map { (tensor.name, $0) }
        }
        return Dictionary(types, uniquingKeysWith: { first, _ in first })
    }

    /// Bytes that the files of the target may come to, whatever the tensors are found to cost.
    /// - Throws: `QuernError` `.usage` where the goal is too small.
    func bounds() throws -> ClosedRange<UInt64> {
        let room = try room(smallest: smallestTypes())
        guard room.limit >= room.outside + room.chosen else { throw try tooSmall(room) }
        return room.files...room.files + (room.limit - room.outside - room.chosen)
    }

    /// - Parameter types: the smallest of the tensors whose types are chosen.
    private func room(smallest types: [String: ElementType]) throws -> Room {
        let trial = try choice(types: types)
        let layout = try layout(trial, recipe.encoder ?? .reference)
        let files = Self.size(of: layout)
        let chosen = trial.tensors.filter { types[$0.name] != nil }
        if case .bitsPerWeight(let bits) = goal.limit {
            // Of the tensors alone.
            let bytes = chosen.reduce(0) { $0 + $1.bytes }
            return Room(
                limit: UInt64(min(bits * Double(Self.weights(trial)) / 8, 1e18)), chosen: bytes,
                outside: trial.tensors.reduce(0) { $0 + $1.bytes } - bytes, files: files, alignment: 1)
        }
        let limit: UInt64
        switch goal.limit {
        case .bytes(let bytes): limit = bytes
        case .preset, .bitsPerWeight:
            // As anybody makes it.
            var usual = try choice(types: [:])
            usual.goal = nil
            limit = Self.size(of: try self.layout(usual, .reference))
        }
        let bytes = chosen.reduce(0) { $0 + ArtifactLayout.pad($1.bytes, to: layout.alignment) }
        return Room(
            limit: limit, chosen: bytes, outside: files - bytes, files: files, alignment: layout.alignment)
    }

    private func tooSmall(_ room: Room) throws -> QuernError {
        let smallest: String
        if case .bitsPerWeight = goal.limit {
            let bits = Double(8 * (room.outside + room.chosen)) / Double(Self.weights(try choice(types: [:])))
            smallest = "bpw:\((bits * 1000).rounded(.up) / 1000)"
        } else {
            smallest = "size:\(room.files)"
        }
        return QuernError(
            .usage, "no choice of types is so small", at: target.preset, remedy: "The smallest possible is \(smallest)")
    }

    private static func weights(_ choice: Draft.Choice) -> Int { choice.tensors.reduce(0) { $0 + $1.weights } }

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

    private static func size(of layout: ArtifactLayout) -> UInt64 { layout.files.reduce(0) { $0 + $1.size } }
}
