import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import Testing

/// Jobs that are planned to their end once it is measured what tensors cost.
@Suite struct ServiceContinuationTests {
    /// The usual plan of the rig with a measurement before it, which is all of the plan until its result is there.
    @Sendable private static func plan(_ recipe: Recipe, costs: SensitivityFile?) throws -> Plan {
        let whole = try ServiceRig.plan(recipe)
        let measured = [
            Sample.encode(label: costs == nil || recipe.name != "changed" ? "measure" : "measure otherwise"),
            Sample.collect(after: [0]),
        ]
        if costs != nil, recipe.name == "unlucky" {
            throw QuernError(.usage, "no choice of types is so small", at: "size:1MB", remedy: "Take more")
        }
        let shifted = whole.items.map { item in
            PlannedItem(
                payload: item.payload, cost: item.cost, memory: item.memory,
                dependencies: item.dependencies.map { $0 + measured.count }, label: item.label)
        }
        let open = TargetPlan(target: "Q8_0", files: [], tensors: [], bounds: 1...9)
        return Plan(
            name: whole.name, sourceName: whole.sourceName, targets: costs == nil ? [open] : whole.targets,
            refusals: whole.refusals, items: measured + (costs == nil ? [] : shifted),
            blobs: costs == nil ? [:] : whole.blobs, peakMemory: 1)
    }

    private func measured(_ name: String) async throws -> (rig: ServiceRig, job: JobRecord, collect: Lease) {
        let rig = try await ServiceRig.make(planner: Self.plan)
        let job = try await rig.submit(name)
        #expect(job.artifacts == [PlannedArtifact(target: "Q8_0", files: [])])
        let session = try await rig.coordinator.openSession(ServiceRig.worker).session
        let measure = try #require(try await rig.coordinator.claim(session, limit: 1, wait: .zero).first)
        try await rig.coordinator.complete(measure.lease, Sample.completion("measured"))
        let collect = try #require(try await rig.coordinator.claim(session, limit: 1, wait: .zero).first)
        return (rig, job, collect.lease)
    }

    private let costs = Completion(result: .collect(CollectResult(costs: Sample.costs)))

    @Test func whatWasMeasuredDecidesTheRest() async throws {
        let (rig, job, collect) = try await measured("tiny")
        try await rig.coordinator.complete(collect, costs)
        // Repeating it changes nothing.
        try await rig.coordinator.complete(collect, costs)
        let known = try await rig.coordinator.job(job.id)
        #expect(known.state == .running && known.artifacts.first?.files.count == 1)
        #expect(known.progress.items.values.reduce(0, +) == 2 + ServiceRig.spans + 2)
        #expect(try await rig.finish(job).state == .done)
    }

    /// What cannot be planned with the result ends the job with the reason, as workers report it.
    @Test(
        arguments: [
            ("unlucky", "no choice of types is so small"),
            ("changed", "the plan of the job is another than when it was submitted"),
        ])
    func whatCannotBePlannedFails(name: String, message: String) async throws {
        let (rig, job, collect) = try await measured(name)
        let error = await #expect(throws: QuernError.self) { try await rig.coordinator.complete(collect, costs) }
        #expect(error?.message == message)
        #expect(try await rig.coordinator.items(of: job.id).map(\.state) == [.done, .leased])
        try await rig.coordinator.fail(collect, Sample.failure(.permanent, message))
        let failed = try await rig.coordinator.job(job.id)
        #expect(failed.state == .failed && failed.failure?.contains(message) == true)
    }
}
