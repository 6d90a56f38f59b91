import Foundation
import TestSupport
import Testing

/// A cluster that asks for tokens: workers reach what their leases open, and that is all they need.
@Suite struct TokenTests {
    /// Calibrated, so that items find blobs by indices of others and by look-ups; and a second time, so that they find
    /// what the first job has left.
    @Test func workersGetByWithTheirLeases() async throws {
        let folder = try TemporaryFolder()
        let database = folder.path("jobs.sqlite")
        func token(_ name: String, _ scopes: String) async throws -> String {
            let made = try await QuernProcess.run([
                "token", "create", name, "--scopes", scopes, "--database", database,
            ])
            try #require(made.status == 0, "\(made.errors)")
            return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let (user, work) = (try await token("user", "read,submit"), try await token("worker", "work"))
        let text = Fixtures.sample + "/calibration.txt"
        let arguments = [
            "--to", "Q4_K_M,W4A16_AWQ", "--calibration", text, "--calibration-chunks", "4", "--chunk-tokens", "64",
        ]
        let alone = folder.path("alone")
        let local = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", alone, "--quiet"] + arguments)
        try #require(local.status == 0, "\(local.errors)")

        let cluster = try Cluster(database: database, folder: folder)
        try await cluster.start(workers: 0)
        let workers = [
            try await cluster.startWorker(environment: ["QUERN_TOKEN": work]),
            try await cluster.startWorker(environment: ["QUERN_TOKEN": work]),
        ]
        func ask(_ arguments: [String]) async throws -> QuernProcess.Outcome {
            let environment = ["QUERN_TOKEN": user, "QUERN_COORDINATOR": cluster.url]
            var outcome = try await QuernProcess.run(arguments, environment: environment)
            for _ in 0..<2000 where outcome.status == 3 {
                try await Task.sleep(for: .milliseconds(50))
                outcome = try await QuernProcess.run(arguments, environment: environment)
            }
            return outcome
        }
        for round in ["first", "second"] {
            let submitted = try await ask(["submit", Fixtures.sample] + arguments)
            try #require(submitted.status == 0, "\(submitted.errors)")
            let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let watched = try await ask(["watch", id])
            try #require(watched.status == 0, "\(watched.errors)\(workers.map(\.errorsSoFar))")
            #expect(try await ask(["download", id, "--output", folder.path(round)]).status == 0)
            #expect(try FolderDigests.of(folder.path(round)) == FolderDigests.of(alone))
            #expect(try await ask(["logs", id]).output.contains("not name the blob") == false)
        }
        for worker in workers { #expect(!worker.errorsSoFar.contains("not for this"), "\(worker.errorsSoFar)") }
        _ = await cluster.stop()
    }
}
