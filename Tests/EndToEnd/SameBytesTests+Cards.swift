import TestSupport
import Testing

/// Cards: what makes them ready for tests says which.
extension SameBytesTests {
    /// All spans on cards, and some of them: nobody can tell from the bytes.
    @Test(arguments: [0, 1], [Job.plain, .measured, .compressed])
    func cardsMakeTheSame(workersWithout: Int, job: Job) async throws {
        let folder = try TemporaryFolder()
        let cards = try TestedCards()
        let cluster = try Cluster(database: folder.path("jobs.sqlite"), folder: folder)
        try await cluster.start(workers: 0)
        let with = try await cluster.startWorker(
            environment: cards.environment(["CARDS": "2"]).merging(["QUERN_DEVICE": "cuda"]) { $1 })
        for _ in 0..<workersWithout { try await cluster.startWorker(environment: ["QUERN_DEVICE": "cpu"]) }
        let made = try await run(job, on: cluster, folder: folder) {}
        let outcomes = await cluster.stop()
        #expect(outcomes.allSatisfy { $0.status == 0 }, "\(outcomes.map(\.errors))")
        // Not the processor in their place.
        let log = await with.outcome().errors
        #expect(log.contains("encodes on CUDA: found card 0 ") && !log.contains("takes no"), "\(log)")
        #expect(try await made == undisturbed(job, folder))
    }

    /// One process with cards.
    @Test(arguments: [Job.chosen, .found])
    func cardsOfOneProcessMakeTheSame(_ job: Job) async throws {
        let folder = try TemporaryFolder()
        let cards = try TestedCards()
        let output = folder.path("out")
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", output, "--quiet", "--device", "cuda"] + job.arguments,
            environment: cards.environment())
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(try await FolderDigests.of(output) == undisturbed(job, folder))
    }

    /// A card that falls off the bus in the middle of a job: a word in the log, and nothing else.
    @Test func aLostCardChangesNothing() async throws {
        let folder = try TemporaryFolder()
        let cards = try SimulatedCards()
        let cluster = try Cluster(database: folder.path("jobs.sqlite"), folder: folder)
        try await cluster.start(workers: 0)
        let worker = try await cluster.startWorker(
            environment: cards.environment(["FAILURES": "cuLaunchKernel:60+:719"]).merging(["QUERN_DEVICE": "cuda"]) {
                $1
            })
        let made = try await run(.plain, on: cluster, folder: folder) {}
        _ = await cluster.stop()
        let log = await worker.outcome().errors
        #expect(log.contains("card 0 (Simulated GPU 0, 0000:01:00.0) takes no more work: "), "\(log)")
        #expect(try await made == undisturbed(.plain, folder))
    }
}
