import QuernFormats

/// What a user asks of a coordinator, in the same process or over HTTP.
public protocol JobService: Sendable {
    /// Plans the recipe and starts the job.
    /// - Throws: `.usage`, `.invalidInput` or `.unsupported` where the plan is refused; nothing is stored then.
    func submit(_ submission: Submission) async throws -> JobRecord
    /// - Throws: `.notFound`.
    func job(_ id: JobID) async throws -> JobRecord
    /// Newest first.
    func jobs(limit: Int) async throws -> [JobRecord]
    func items(of id: JobID) async throws -> [ItemRecord]
    /// Events after `sequence`, in order; empty where there are none yet.
    func events(of id: JobID, after sequence: Int64) async throws -> [JobEvent]
    /// - Throws: `.conflict` where the job's state forbids it.
    func control(_ id: JobID, _ action: JobAction) async throws -> JobRecord
}

public struct Submission: Sendable, Codable {
    public let recipe: Recipe
    public let priority: Int
    public let idempotencyKey: String?
    public init(recipe: Recipe, priority: Int = 0, idempotencyKey: String? = nil) {
        self.recipe = recipe
        self.priority = priority
        self.idempotencyKey = idempotencyKey
    }
}
