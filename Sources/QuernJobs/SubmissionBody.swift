extension Wire {
    /// A submission, or a recipe, whose keys stand at the top then.
    public struct SubmissionBody: Sendable, Decodable {
        public let recipe: Recipe
        public let priority: Int
        public let idempotencyKey: String?

        private enum Key: String, RecipeKey {
            case recipe, priority, idempotencyKey

            static let planned: Set<String> = []
        }

        public init(from decoder: any Decoder) throws {
            guard try decoder.container(keyedBy: Key.self).contains(.recipe) else {
                recipe = try Recipe(from: decoder)
                priority = 0
                idempotencyKey = nil
                return
            }
            let container = try decoder.strictContainer(of: Key.self)
            recipe = try container.decode(Recipe.self, forKey: .recipe)
            priority = try container.decodeIfPresent(Int.self, forKey: .priority) ?? 0
            idempotencyKey = try container.decodeIfPresent(String.self, forKey: .idempotencyKey)
        }
    }
}
