import Foundation
import TestSupport
import Testing

/// Machines on which the library that multiplies matrices does not load.
@Suite struct MissingLibraryTests {
    private static let job = [
        Fixtures.sample, "--to", "Q4_K_M", "--calibration", Fixtures.sample + "/calibration.txt", "--chunk-tokens",
        "512", "--calibration-chunks", "3",
    ]

    /// A file of the library's name that is none, where it is looked for first.
    private func environment(_ folder: TemporaryFolder) throws -> [String: String] {
        let path = try folder.write("no library", to: "libraries/libdnnl.so.2")
        return ["LD_LIBRARY_PATH": (path as NSString).deletingLastPathComponent]
    }

    @Test(arguments: [
        ["--calibration", Fixtures.sample + "/calibration.txt"], ["--evaluation", Fixtures.sample + "/evaluation.txt"],
    ])
    func localRunsRefuseAtOnce(options: [String]) async throws {
        let folder = try TemporaryFolder()
        let output = folder.path("out")
        let arguments = ["quantize", Fixtures.sample, "--to", "Q4_K_M", "--output", output, "--quiet"]
        let outcome = try await QuernProcess.run(arguments + options, environment: environment(folder))
        #expect(outcome.status == 1 && outcome.errors.contains("oneDNN (libdnnl.so.2)"), "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: output))
        #expect(try await QuernProcess.run(arguments, environment: environment(folder)).status == 0)
    }

    @Test func workersLeaveToOthersWhatTheyCannotDo() async throws {
        let folder = try TemporaryFolder()
        let cluster = try Cluster(database: folder.path("jobs.sqlite"), folder: folder)
        try await cluster.start(workers: 0)
        let worker = try await cluster.startWorker(environment: environment(folder))
        let submitted = try await cluster.ask(["submit"] + Self.job)
        try #require(submitted.status == 0, "\(submitted.errors)")
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        // All that can be done without the library: the hashes and the text. Then calibration waits.
        func states() async throws -> [String: Int] {
            let shown = try await cluster.ask(["status", id, "--json"])
            struct Shown: Decodable {
                struct Progress: Decodable { let items: [String: Int] }
                let state: String
                let progress: Progress
            }
            let record = try JSONDecoder().decode(Shown.self, from: Data(shown.output.utf8))
            try #require(record.state == "running", "\(shown.output)")
            return record.progress.items
        }
        while try await states()["done"] != 4 { await Task.yield() }
        #expect(try await states()["ready"] == 1)
        #expect(worker.errorsSoFar.contains("takes no part in calibration"), "\(worker.errorsSoFar)")
        try await cluster.startWorker()
        let watched = try await cluster.ask(["watch", id])
        #expect(watched.status == 0, "\(watched.errors)")
        _ = await cluster.stop()
    }
}
