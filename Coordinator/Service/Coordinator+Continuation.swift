import QuernFormats
import QuernJobs
import QuernPlanning

/// Jobs whose types are chosen by what tensors cost: what follows the measuring is planned once it is done.
extension Coordinator {
    /// What the job goes on with after an item that collects costs; nil where its plan is whole.
    /// - Throws: what planning throws; `.unsupported` where the plan is refused, `.conflict` where the source, or what
    ///   plans it, is another than when the job was submitted.
    func continuation(after lease: Lease, by costs: SensitivityFile) async throws -> JobContinuation? {
        guard let job = try await store.job(lease.item.job) else { return nil }
        let count = job.progress.items.values.reduce(0, +)
        guard lease.item.ordinal == count - 1, !job.recipe.targets.isEmpty else { return nil }
        let plan = try await threads.run { [makePlan] in try makePlan(job.recipe, costs) }
        try Self.refuse(plan)
        let known = try await store.items(of: job.id)
        let agrees =
            plan.items.count > count
            && zip(plan.items, known).allSatisfy { $0.label == $1.label && $0.payload.stage == $1.stage }
        guard agrees else {
            throw QuernError(
                .conflict, "the plan of the job is another than when it was submitted", at: job.name,
                remedy: "Its source has changed, or the coordinator is of another release: submit it again")
        }
        try await admit(plan, besides: job.id)
        for (_, bytes) in plan.blobs { try await blobs.put(bytes) }
        for warning in plan.warnings { logger.warning("\(warning)", metadata: ["job": "\(job.id)"]) }
        return JobContinuation(firstOrdinal: count, items: Array(plan.items[count...]), artifacts: plan.artifacts)
    }
}
