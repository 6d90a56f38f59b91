import Foundation
import TestSupport
import Testing

/// One job, run in every way there is: the artifacts and the manifest are the same to the byte.
@Suite(.serialized) struct SameBytesTests {
    typealias Job = SampleJob

    private var source: String { Fixtures.sample }

    /// What one process makes, undisturbed.
    func undisturbed(_ job: Job, _ folder: TemporaryFolder) async throws -> [String: String] {
        let output = folder.path("alone")
        let outcome = try await QuernProcess.run(
            ["quantize", source, "--output", output, "--quiet"] + job.arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return try FolderDigests.of(output)
    }

    @Test(arguments: [1, 3], Job.allCases)
    func theNumberOfWorkersDoesNotMatter(workers: Int, job: Job) async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let outcome = try await QuernProcess.run(
            ["quantize", source, "--output", output, "--workers", "\(workers)", "--quiet"] + job.arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(try await FolderDigests.of(output) == undisturbed(job, folder))
    }

    @Test(arguments: Job.allCases)
    func aKilledRunGoesOnWhereItStopped(job: Job) async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let arguments = ["quantize", source, "--output", output, "--quiet"] + job.arguments
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5 {
            let process = try QuernProcess(arguments)
            try await Task.sleep(for: .milliseconds(Int.random(in: 30...250, using: &generator)))
            process.send(signal: SIGKILL)
            _ = await process.outcome()
        }
        let outcome = try await QuernProcess.run(arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(try await FolderDigests.of(output) == undisturbed(job, folder))
    }

    static let databases = ["postgres", "sqlite"]

    @Test(arguments: databases, Job.allCases)
    func threeWorkersOverHTTPMakeTheSame(database: String, job: Job) async throws {
        let folder = try TemporaryFolder()
        let cluster = try Cluster(database: try await url(database, in: folder), folder: folder)
        try await cluster.start(workers: 3)
        let made = try await run(job, on: cluster, folder: folder) {}
        let outcomes = await cluster.stop()
        #expect(outcomes.allSatisfy { $0.status == 0 }, "\(outcomes.map(\.errors))")
        #expect(try await made == undisturbed(job, folder))
    }

    /// `QUERN_TEST_KILLS` sets how often something is killed; `QUERN_TEST_SEED` repeats a run.
    @Test(arguments: databases, Job.allCases)
    func killingAnythingAtAnyTimeChangesNothing(database: String, job: Job) async throws {
        let environment = ProcessInfo.processInfo.environment
        let kills = environment["QUERN_TEST_KILLS"].flatMap(Int.init) ?? 8
        let seed = environment["QUERN_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...UInt64.max)
        let folder = try TemporaryFolder()
        let cluster = try Cluster(database: try await url(database, in: folder), folder: folder)
        try await cluster.start(workers: 3)
        let made = try await run(job, on: cluster, folder: folder) {
            var generator = SeededGenerator(seed: seed)
            for _ in 0..<kills {
                try await Task.sleep(for: .milliseconds(Int.random(in: 50...500, using: &generator)))
                _ = try await cluster.killSomething(using: &generator)
            }
        }
        _ = await cluster.stop()
        #expect(try await made == undisturbed(job, folder), "seed \(seed)")
    }

    func url(_ database: String, in folder: TemporaryFolder) async throws -> String {
        guard database == "postgres" else { return folder.path("jobs.sqlite") }
        return try await PostgreSQLServer.shared.freshDatabaseURL()
    }

    /// Submits, disturbs, waits and downloads.
    func run(
        _ job: Job, on cluster: Cluster, folder: TemporaryFolder, disturbed: @Sendable () async throws -> Void
    ) async throws -> [String: String] {
        let submitted = try await cluster.ask(["submit", source] + job.arguments)
        try #require(submitted.status == 0, "\(submitted.errors)")
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        try await disturbed()
        let watched = try await cluster.ask(["watch", id])
        try #require(watched.status == 0, "\(watched.errors)")
        let output = folder.path("downloaded")
        let downloaded = try await cluster.ask(["download", id, "--output", output])
        try #require(downloaded.status == 0, "\(downloaded.errors)")
        let verified = try await QuernProcess.run(["verify", output])
        #expect(verified.status == 0, "\(verified.output)")
        return try FolderDigests.of(output)
    }
}
