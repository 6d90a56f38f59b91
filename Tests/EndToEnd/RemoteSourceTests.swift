import Foundation
import QuernFormats
import TestSupport
import Testing

/// Checkpoints on a hub and in S3: what is made of them is what is made of the same files in a folder.
@Suite(.serialized) struct RemoteSourceTests {
    private let folder: TemporaryFolder
    private let hub: HubServer

    init() async throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path("hub"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: Fixtures.sample, toPath: folder.path("hub/tiny-llama"))
        hub = try await HubServer(root: folder.path("hub"))
    }

    private func environment(token: String = HubServer.token) async throws -> [String: String] {
        var environment = hub.environment.merging(try await S3Server.shared.environment) { $1 }
        environment["HF_TOKEN"] = token
        return environment
    }

    /// - Returns: the sample's URL in a bucket.
    private func uploaded() async throws -> String {
        let prefix = "sources/\(UUID().uuidString)/tiny-llama"
        try await S3Objects.put(folder: Fixtures.sample, under: prefix)
        return "s3://\(S3Server.bucket)/\(prefix)"
    }

    private func quantized(_ source: String, _ arguments: [String], to name: String) async throws -> String {
        let output = folder.path(name)
        let outcome = try await QuernProcess.run(
            ["quantize", source, "--output", output, "--quiet"] + arguments, environment: environment())
        try #require(outcome.status == 0, "\(source): \(outcome.errors)")
        return output
    }

    /// All files of an output with their digests; of the manifest all but the source's name, and nothing of the report
    /// that shows it.
    private func contents(of output: String) throws -> [String: String] {
        var files = try FolderDigests.of(output)
        files["report.html"] = nil
        let manifest = try String(contentsOfFile: output + "/manifest.json", encoding: .utf8)
        files["manifest.json"] = manifest.replacing(/"source" : "[^"]*tiny-llama[^"]*"/, with: "")
        return files
    }

    private static let jobs = [
        ["--to", "Q4_K_M,W4A16,F16"],
        [
            "--to", "IQ2_M,W4A16_GPTQ", "--calibration", Fixtures.sample + "/calibration.txt",
            "--calibration-chunks", "8", "--evaluation", Fixtures.sample + "/evaluation.txt",
            "--evaluation-chunks", "2",
        ],
    ]

    @Test(arguments: jobs) func sameBytesFromAnywhere(arguments: [String]) async throws {
        let local = try contents(of: await quantized(Fixtures.sample, arguments, to: "local"))
        // A hub in trouble costs pauses: once is enough.
        let organizations = ["private", "moving"] + (arguments == Self.jobs[0] ? ["flaky"] : [])
        for organization in organizations {
            let made = try await quantized("hf://\(organization)/tiny-llama", arguments, to: organization)
            #expect(try contents(of: made) == local, "\(organization)")
            let manifest = try String(contentsOfFile: made + "/manifest.json", encoding: .utf8)
            #expect(manifest.contains(/"source" : "hf:\/\/\w+\/tiny-llama@[0-9a-f]{40}"/))
        }
        let requests = try hub.requests()
        let commits = Set(requests.compactMap { $0.path.firstMatch(of: /^\/moving\/.*\/resolve\/(\w+)/)?.1 })
        #expect(commits.count == 1)
        #expect(requests.allSatisfy { $0.authorized == ($0.place == "hub") })

        let made = try await quantized(uploaded(), arguments, to: "s3")
        #expect(try contents(of: made) == local)
    }

    @Test func sameBytesOfAFile() async throws {
        let made = try await quantized(Fixtures.sample, ["--to", "F16", "--split-max-size", "5MB"], to: "f16")
        let names = try FileManager.default.contentsOfDirectory(atPath: made).filter { $0.hasSuffix(".gguf") }.sorted()
        try #require(names.count > 1)
        for name in names {
            try FileManager.default.copyItem(atPath: "\(made)/\(name)", toPath: folder.path("hub/tiny-llama/\(name)"))
        }
        let prefix = "sources/\(UUID().uuidString)"
        try await S3Objects.put(folder: made, under: prefix)
        let server = try await S3Server.shared
        let sources = [
            "hf://private/tiny-llama/\(names[0])", "s3://\(S3Server.bucket)/\(prefix)/\(names[1])",
            "s3://\(S3Server.bucket)/\(prefix)/\(names[0])?endpoint=\(server.endpoint)&region=us-east-1",
        ]
        let local = try contents(of: await quantized("\(made)/\(names[0])", ["--to", "Q4_K_M"], to: "local"))
        for (index, source) in sources.enumerated() {
            let output = try await quantized(source, ["--to", "Q4_K_M"], to: "remote\(index)")
            #expect(
                try contents(of: output).filter { $0.key != "manifest.json" }
                    == local.filter { $0.key != "manifest.json" })
        }
    }

    private static let commands = [
        ["inspect", "--json"], ["plan", "--to", "Q4_K_M,W4A16", "--json"], ["tokenize"],
        ["imatrix", "compute", "--text", Fixtures.sample + "/evaluation.txt", "--chunks", "1", "--quiet"],
        ["eval", "--text", Fixtures.sample + "/evaluation.txt", "--chunks", "1", "--json"],
        [
            "sensitivity", "--text", Fixtures.sample + "/calibration.txt", "--chunks", "2", "--measured-layers", "2",
            "--quiet",
        ],
    ]

    @Test(arguments: commands) func commandsTakeURLs(command: [String]) async throws {
        let url = try await uploaded()
        var seen: [(output: String, files: [String: String])] = []
        for (index, source) in [Fixtures.sample, "hf://open/tiny-llama", url].enumerated() {
            let here = folder.path("here\(index)")
            try FileManager.default.createDirectory(atPath: here, withIntermediateDirectories: true)
            let outcome = try await QuernProcess.run(
                command + [source], environment: environment(), workingFolder: here)
            try #require(outcome.status == 0, "\(source): \(outcome.errors)")
            seen.append((outcome.output.replacing(source, with: ""), try FolderDigests.of(here)))
        }
        #expect(seen[1].output == seen[0].output && seen[2].output == seen[0].output)
        #expect(seen[1].files == seen[0].files && seen[2].files == seen[0].files)
    }

    @Test func workersBringTheirOwnCredentials() async throws {
        let local = try contents(of: await quantized(Fixtures.sample, Self.jobs[0], to: "local"))
        let cluster = try Cluster(
            database: folder.path("jobs.sqlite"), folder: folder, environment: try await environment())
        try await cluster.start(workers: 0)
        let poor = try await cluster.startWorker(environment: environment(token: ""))
        let submitted = try await cluster.ask(["submit", "hf://private/tiny-llama"] + Self.jobs[0])
        try #require(submitted.status == 0, "\(submitted.errors)")
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        var status = ""
        for _ in 0..<2000 where !status.contains("HF_TOKEN") {
            try await Task.sleep(for: .milliseconds(50))
            status = try await cluster.ask(["status", id]).output
        }
        #expect(status.contains("for a private or gated model set HF_TOKEN"), "\(status)")
        poor.send(signal: SIGTERM)
        _ = await poor.outcome()
        try await cluster.startWorker(environment: environment())
        let watched = try await cluster.ask(["watch", id])
        #expect(watched.status == 0, "\(watched.errors)")
        let downloaded = try await cluster.ask(["download", id, "--output", folder.path("made")])
        try #require(downloaded.status == 0, "\(downloaded.errors)")
        let outcomes = await cluster.stop()
        #expect(try contents(of: folder.path("made")) == local)
        // Nothing secret is kept, or told to anybody.
        let token = Data(HubServer.token.utf8)
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            let bytes = FileManager.default.contents(atPath: folder.path(name)) ?? Data()
            #expect(bytes.firstRange(of: token) == nil, "\(name)")
        }
        #expect(outcomes.allSatisfy { !$0.errors.contains(HubServer.token) && !$0.output.contains(HubServer.token) })
    }

    /// Of the source, the exit status and words that are said.
    private static let refused: [(source: String, token: String, status: Int32, words: [String])] = [
        ("hf://gated/tiny-llama", HubServer.token, 4, ["Accept its conditions", "HF_TOKEN"]),
        ("hf://private/tiny-llama", "", 4, ["set HF_TOKEN"]),
        ("hf://private/tiny-llama", "hf_wrong", 4, ["the hub refuses the token from HF_TOKEN"]),
        ("hf://open/none", HubServer.token, 1, ["there is no such model"]),
        ("hf://open/tiny-llama@v9", HubServer.token, 1, ["no revision 'v9'"]),
        ("hf://changed/tiny-llama", HubServer.token, 1, ["has changed since the job was planned"]),
        ("hf://tiny-llama", HubServer.token, 2, ["names no model"]),
        ("s3://\(S3Server.missingBucket)/m", HubServer.token, 1, ["there is no bucket"]),
        ("gs://models/m", HubServer.token, 1, ["not read from such places"]),
    ]

    @Test(arguments: refused)
    func saysWhatIsWrong(source: String, token: String, status: Int32, words: [String]) async throws {
        let outcome = try await QuernProcess.run(
            ["quantize", source, "--to", "Q8_0", "--output", folder.path("out")], environment: environment(token: token)
        )
        #expect(outcome.status == status, "\(outcome.errors)")
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
        #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
    }
}
