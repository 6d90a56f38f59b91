import QuernFormats
import QuernJobs
import QuernStore

extension Coordinator {
    /// Stores again what planning had stored and a stage found missing or damaged, such as a header or a tokenizer: no
    /// item made it, so none can make it again. Planning once more gives the same bytes.
    func restorePlanned(_ lost: [Digest], of id: JobID) async {
        do {
            guard let job = try await store.job(id) else { return }
            let costs = try await costs(of: id)
            let plan = try await threads.run { [makePlan] in try makePlan(job.recipe, costs) }
            for digest in lost {
                guard let bytes = plan.blobs[digest] else { continue }
                try await blobs.put(bytes)
                logger.notice("stored a planned blob again", metadata: ["job": "\(id)", "blob": "\(digest)"])
            }
        } catch {
            logger.warning(
                "planned blobs cannot be stored again", metadata: ["job": "\(id)", "error": "\(error)"])
        }
    }

    /// What the job's tensors cost, where it has measured that and gone on by it.
    private func costs(of id: JobID) async throws -> SensitivityFile? {
        let collecting = try await store.items(of: id).filter { $0.stage == .collect && $0.state == .done }
        for result in try await store.results(of: id, ordinals: collecting.map(\.ordinal)).values {
            if case .collect(let collected) = result { return collected.costs }
        }
        return nil
    }
}
