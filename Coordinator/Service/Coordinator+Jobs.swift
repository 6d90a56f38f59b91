import Foundation
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore

extension Coordinator: JobService {
    public func submit(_ submission: Submission) async throws -> JobRecord {
        if let key = submission.idempotencyKey {
            guard key.isName else {
                throw QuernError(.usage, "an idempotency key has 1 to 255 characters, none NUL", at: "Idempotency-Key")
            }
            if let earlier = try await store.job(.of(idempotencyKey: key)) {
                return try replay(earlier, of: submission)
            }
        }
        let (recipe, plan) = try await threads.run { [makePlan, settings] in
            var recipe = submission.recipe
            try SourceLimits(settings).check(recipe)
            // From here on a branch means the commit that it named now.
            recipe.source = try SourcePlace.pinned(recipe.source)
            return (recipe, try makePlan(recipe, nil))
        }
        try Self.refuse(plan)
        try await admit(plan)
        for (_, bytes) in plan.blobs { try await blobs.put(bytes) }
        let id = try await store.insert(
            NewJob(
                id: submission.idempotencyKey.map { JobID.of(idempotencyKey: $0) } ?? .random(), name: plan.name,
                recipe: recipe, priority: submission.priority, idempotencyKey: submission.idempotencyKey,
                items: plan.items, artifacts: plan.artifacts))
        for warning in plan.warnings { logger.warning("\(warning)", metadata: ["job": "\(id)"]) }
        count { $0.submissions += 1 }
        bell.ring()
        return try replay(try await job(id), of: submission)
    }

    /// The answer to a submission whose job is there. One key stands for one recipe.
    private func replay(_ job: JobRecord, of submission: Submission) throws -> JobRecord {
        var recipe = submission.recipe
        if SourcePlace.isPinned(job.recipe.source, of: recipe.source) { recipe.source = job.recipe.source }
        guard job.recipe == recipe else {
            throw QuernError(
                .conflict, "this idempotency key was used before with another recipe, for job \(job.id)",
                at: "Idempotency-Key", remedy: "Use a new key for a new job")
        }
        return job
    }

    /// - Throws: `.unsupported`, listing what cannot be made and why.
    static func refuse(_ plan: Plan) throws {
        guard !plan.refusals.isEmpty else { return }
        throw QuernError(
            .unsupported, "the plan was refused: \(Refusal.summary(plan.refusals))", at: plan.name,
            remedy: "Change the targets, or give what they need; `quern plan` shows the whole plan")
    }

    /// Refuses a plan whose files could not be written in the end.
    /// - Parameter job: whose files they are, where it is there already.
    /// - Throws: `.outOfSpace` where the disk cannot hold the new files beside all that running jobs still have to
    ///   write; for objects, what `ArtifactObjects.checkWritable` throws, and `.unsupported` where one would be too large.
    func admit(_ plan: Plan, besides job: JobID? = nil) async throws {
        switch artifacts {
        case .perJob(let root), .shared(let root):
            try await admit(plan.targets.reduce(0) { $0 + $1.bytes }, to: root, besides: job)
        case .objects(let objects):
            for file in plan.artifacts.flatMap(\.files) {
                _ = try objects.path(of: file.name)
                guard file.bytes <= objects.largestFile else {
                    throw QuernError(
                        .unsupported, "\(file.bytes) bytes are more than the \(objects.largestFile) of an object",
                        at: file.name, remedy: "Split the artifact: --split-max-size 100GB")
                }
            }
            try await objects.checkWritable()
        }
    }

    /// - Parameter needed: bytes of all files.
    private func admit(_ needed: UInt64, to root: String, besides job: JobID?) async throws {
        let running = try await store.jobs(limit: 1000).filter { !$0.state.isFinal && $0.id != job }
        let (free, reserved) = try await threads.run { [artifacts] in
            var reserved: UInt64 = 0
            for job in running {
                let folder = artifacts.place(of: job.id)
                for file in job.artifacts.flatMap(\.files) {
                    let path = try folder.path(of: file.name)
                    if !FileManager.default.fileExists(atPath: path) { reserved += file.bytes }
                }
            }
            return (try ArtifactFolder(root: root).diskUsage().freeBytes, reserved)
        }
        guard needed <= free, reserved <= free - needed else {
            throw QuernError(
                .outOfSpace,
                "the artifacts need \(needed) bytes, and the disk has \(free) left"
                    + (reserved > 0 ? ", of which running jobs still take \(reserved)" : ""),
                at: root, remedy: "Free some space, and try again")
        }
    }

    public func job(_ id: JobID) async throws -> JobRecord {
        guard var job = try await store.job(id) else {
            throw QuernError(.notFound, "there is no such job", at: id.rawValue, remedy: "`quern list` shows all jobs")
        }
        if job.state == .done, job.recipe.evaluation != nil { job.evaluation = try await evaluation(of: job) }
        // What nobody works on although it could be.
        if job.state == .running, job.progress.items[ItemState.leased.rawValue] == nil,
            job.progress.items[ItemState.ready.rawValue] != nil
        {
            job.waiting = try await store.scheduling(of: id).obstacle
        }
        return job
    }

    /// What the item has found that publishes: the last of a job, found by their number rather than among thousands.
    private func evaluation(of job: JobRecord) async throws -> EvaluationSummary? {
        let last = job.progress.items.values.reduce(0, +) - 1
        guard case .publish(let published)? = try await store.results(of: job.id, ordinals: [last])[last] else {
            return nil
        }
        return published.evaluation
    }

    public func jobs(limit: Int) async throws -> [JobRecord] {
        guard (1...1000).contains(limit) else {
            throw QuernError(.usage, "a limit lies between 1 and 1000", at: "limit")
        }
        return try await store.jobs(limit: limit)
    }

    public func items(of id: JobID) async throws -> [ItemRecord] {
        _ = try await job(id)
        return try await store.items(of: id)
    }

    public func events(of id: JobID, after sequence: Int64) async throws -> [JobEvent] {
        _ = try await job(id)
        return try await store.events(of: id, after: sequence)
    }

    public func control(_ id: JobID, _ action: JobAction) async throws -> JobRecord {
        try await store.control(id, action)
        bell.ring()
        resolving.ring()
        return try await job(id)
    }
}
