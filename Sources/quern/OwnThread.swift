import QuernFormats
import QuernJobs
import QuernStore

/// Runs what blocks off Swift's cooperative pool: sources may be read over a network, which needs the pool.
enum OwnThread {
    static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await ThreadPool(name: "quern", threads: 1).run(work)
    }
}

extension Recipe {
    /// With the commit in place of a branch; blocking.
    func pinned() throws -> Recipe {
        var recipe = self
        recipe.source = try SourcePlace.pinned(source)
        return recipe
    }
}
