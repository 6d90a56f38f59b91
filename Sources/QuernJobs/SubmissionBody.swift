import QuernFormats

extension Wire {
    /// A submission, or a recipe, whose keys stand at the top then.
    public struct SubmissionBody: Sendable, Decodable {
        public let recipe: Recipe
        public let priority: Int
        public let idempotencyKey: String?

        private enum Key: String, CodingKey, CaseIterable {
            case recipe, priority, idempotencyKey
        }

        private struct AnyKey: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            guard container.contains(.recipe) else {
                recipe = try Recipe(from: decoder)
                priority = 0
                idempotencyKey = nil
                return
            }
            for key in try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
            where Key(rawValue: key) == nil {
                throw QuernError(
                    .usage, "unknown key '\(key)'",
                    remedy: "Known are: \(Key.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            recipe = try container.decode(Recipe.self, forKey: .recipe)
            priority = try container.decodeIfPresent(Int.self, forKey: .priority) ?? 0
            idempotencyKey = try container.decodeIfPresent(String.self, forKey: .idempotencyKey)
        }
    }
}
