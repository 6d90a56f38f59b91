import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Testing

/// What a job has measured comes with its record once it is done.
@Suite struct ServiceResultTests {
    @Test(arguments: StoreKind.allCases) func theLastItemTells(_ kind: StoreKind) async throws {
        let stores = try await StoreRig.make(kind)
        let rig = try await ServiceRig.make(store: stores.store)
        var recipe = ServiceRig.recipe()
        recipe.evaluation = Recipe.Evaluation(text: "/texts/t")
        let job = try await rig.coordinator.submit(Submission(recipe: recipe))
        let summary = EvaluationSummary(
            chunks: 2, chunkTokens: 512, positions: 510, perplexity: Estimate(value: 7.5, error: 0.25), candidates: [])
        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        while try await !rig.coordinator.job(job.id).state.isFinal {
            for claim in try await rig.coordinator.claim(session, limit: 8, wait: .zero) {
                #expect(try await rig.coordinator.job(job.id).evaluation == nil)
                var completion = try rig.completion(of: claim)
                if case .publish(let result) = completion.result {
                    completion = Completion(
                        result: .publish(
                            PublishResult(
                                sha256: result.sha256, size: result.size, reports: [], evaluation: summary)))
                }
                try await rig.coordinator.complete(claim.lease, completion)
            }
            _ = try await rig.store.resolve()
        }
        #expect(try await rig.coordinator.job(job.id).evaluation == summary)
    }
}
