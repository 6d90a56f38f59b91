import Foundation
import NIOCore
import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Coordinators whose blobs lie in S3.
@Suite(.serialized) struct S3Tests {
    private static let arguments = ["--to", "Q4_K_M,Q8_0,W4A16"]

    private func run(on cluster: Cluster, disturbed: () async throws -> Void) async throws -> String {
        let submitted = try await cluster.ask(["submit", Fixtures.sample] + Self.arguments)
        try #require(submitted.status == 0, "\(submitted.errors)")
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        try await disturbed()
        let watched = try await cluster.ask(["watch", id])
        try #require(watched.status == 0, "\(watched.errors)")
        return id
    }

    @Test func aJobWithBlobsInS3MakesTheSame() async throws {
        let folder = try TemporaryFolder()
        let alone = folder.path("alone")
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", alone, "--quiet"] + Self.arguments)
        try #require(outcome.status == 0, "\(outcome.errors)")

        let cluster = try Cluster(
            database: folder.path("jobs.sqlite"), folder: folder,
            blobs: "s3://\(S3Server.bucket)/end to end/\(UUID().uuidString)",
            environment: try await S3Server.shared.environment)
        try await cluster.start(workers: 2)
        let id = try await run(on: cluster) {
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<3 {
                try await Task.sleep(for: .milliseconds(200))
                _ = try await cluster.killSomething(using: &generator)
            }
        }
        let output = folder.path("downloaded")
        let downloaded = try await cluster.ask(["download", id, "--output", output])
        try #require(downloaded.status == 0, "\(downloaded.errors)")
        let outcomes = await cluster.stop()
        #expect(outcomes.allSatisfy { $0.status == 0 }, "\(outcomes.map(\.errors))")
        #expect(try FolderDigests.of(output) == FolderDigests.of(alone))
        #expect(!FileManager.default.fileExists(atPath: folder.path("store/sha256")))
    }

    /// Bytes of blobs that a coordinator received and sent, and that workers stored past it.
    private func counted(_ cluster: Cluster) async throws -> [Int] {
        let answer = try await S3Client.send("GET", cluster.url + "/metrics", headers: [], body: nil, to: cluster.url)
        let lines = String(decoding: answer.body.readableBytesView, as: UTF8.self).split(separator: "\n")
        return try ["blob_received_bytes_total", "blob_sent_bytes_total", "blob_received_direct_bytes_total"].map {
            name in
            let line = try #require(lines.first { $0.hasPrefix("quern_\(name) ") })
            return try #require(Int(line.split(separator: " ")[1]))
        }
    }

    /// Calibrated, so that workers read what others have stored; once past the coordinator, and once
    /// where workers are told of a server that is not there.
    @Test func bytesGoPastTheCoordinator() async throws {
        let folder = try TemporaryFolder()
        let alone = folder.path("alone")
        let calibration = [
            "--calibration", Fixtures.sample + "/calibration.txt", "--calibration-chunks", "4", "--chunk-tokens", "64",
        ]
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", alone, "--quiet"] + Self.arguments + calibration)
        try #require(outcome.status == 0, "\(outcome.errors)")

        for direct in ["yes", "http://127.0.0.1:\(try freePort())"] {
            let isDirect = direct == "yes"
            let place = isDirect ? "direct" : "relayed"
            var settings = try Cluster.Settings(
                database: folder.path("\(place).sqlite"), root: folder.path("store \(place)"))
            settings.blobs = "s3://\(S3Server.bucket)/\(place)/\(UUID().uuidString)"
            settings.coordinatorEnvironment = try await S3Server.shared.environment
            settings.coordinatorOptions = ["--direct-blobs", direct]
            settings.slots = 2
            let cluster = try Cluster(settings)
            try await cluster.start(workers: 2)
            let submitted = try await cluster.ask(["submit", Fixtures.sample] + Self.arguments + calibration)
            try #require(submitted.status == 0, "\(submitted.errors)")
            let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let watched = try await cluster.ask(["watch", id])
            try #require(watched.status == 0, "\(watched.errors)")
            let output = folder.path("downloaded \(place)")
            let downloaded = try await cluster.ask(["download", id, "--output", output])
            try #require(downloaded.status == 0, "\(downloaded.errors)")
            let bytes = try await counted(cluster)
            let errors = await cluster.stop().map(\.errors).joined()
            #expect(try FolderDigests.of(output) == FolderDigests.of(alone))
            #expect(bytes.map { $0 > 0 } == (isDirect ? [false, false, true] : [true, true, false]), "\(bytes)")
            for purpose in ["fetched", "stored"] {
                let warnings = errors.ranges(of: "blobs are \(purpose) through the coordinator from now on").count
                // Of each worker that had any.
                #expect(isDirect ? warnings == 0 : (1...2).contains(warnings), "\(errors)")
            }
        }
    }

    /// Uploads are interrupted, and one is left behind by somebody who died in the midst of it.
    @Test(arguments: [false, true]) func artifactsInS3AreTheSame(blobsToo: Bool) async throws {
        let folder = try TemporaryFolder()
        let alone = folder.path("alone")
        let options =
            Self.arguments + ["--evaluation", Fixtures.sample + "/evaluation.txt", "--evaluation-chunks", "2"]
        let outcome = try await QuernProcess.run(
            ["quantize", Fixtures.sample, "--output", alone, "--quiet"] + options)
        try #require(outcome.status == 0, "\(outcome.errors)")

        let (server, place) = (try await S3Server.shared, "end to end/\(UUID().uuidString)")
        let url = "s3://\(S3Server.bucket)/\(place)?endpoint=\(server.endpoint)"
        let cluster = try Cluster(
            database: folder.path("jobs.sqlite"), folder: folder, blobs: blobsToo ? url : nil, data: url,
            environment: server.environment.merging(["AWS_ENDPOINT_URL_S3": ""]) { $1 })
        try await cluster.start(workers: 0)
        let submitted = try await cluster.ask(["submit", Fixtures.sample] + options)
        try #require(submitted.status == 0, "\(submitted.errors)")
        let id = submitted.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let stored = try S3Artifacts(url: url, environment: server.environment).below("artifacts").below(id)
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: alone).first { $0.hasSuffix("Q8_0.gguf") })
        let left = try await stored.begin(name, size: 3)
        try await left.put([1, 2, 3], at: 0)
        try await cluster.startWorker()
        try await cluster.startWorker()
        for _ in 0..<3 {
            try await Task.sleep(for: .milliseconds(300))
            try await cluster.replaceCoordinators()
        }
        let watched = try await cluster.ask(["watch", id])
        try #require(watched.status == 0, "\(watched.errors)")
        // Whoever left it finds the job's own file, if anything.
        let late = try? await left.finish().bytes(0..<3)
        #expect(late != [1, 2, 3])

        let output = folder.path("downloaded")
        let downloaded = try await cluster.ask(["download", id, "--output", output])
        try #require(downloaded.status == 0, "\(downloaded.errors)")
        #expect(try FolderDigests.of(output) == FolderDigests.of(alone))
        let manifest = try await stored.open("manifest.json")
        #expect(
            try await Data(manifest.bytes(0..<manifest.size))
                == Data(contentsOf: URL(fileURLWithPath: alone + "/manifest.json")))
        try await checkRange(of: name, in: id, cluster, alone)
        let outcomes = await cluster.stop()
        #expect(outcomes.allSatisfy { $0.status == 0 }, "\(outcomes.map(\.errors))")
        #expect(!FileManager.default.fileExists(atPath: folder.path("store/artifacts")))
    }

    private func checkRange(of name: String, in id: String, _ cluster: Cluster, _ alone: String) async throws {
        let request = S3Request(
            method: "GET", scheme: "http", host: String(cluster.url.dropFirst("http://".count)),
            path: "/v1/jobs/\(id)/artifacts/\(name)")
        let response = try await S3Client.send(
            request, headers: [(name: "Range", value: "bytes=1000-70000")], body: nil)
        #expect(response.status == 206)
        let whole = try Data(contentsOf: URL(fileURLWithPath: "\(alone)/\(name)"))
        #expect(Array(response.body.readableBytesView) == [UInt8](whole[1000...70000]))
    }

    /// Of the place for blobs, and of what else is in the environment.
    private static let wrong: [(place: String, change: [String: String], status: Int32, words: [String])] = [
        ("gs://models/x", [:], 2, ["--blobs: 'gs://models/x'", "s3://BUCKET/PREFIX"]),
        ("s3://My_Models", [:], 2, ["'My_Models' cannot be the name of a bucket"]),
        ("s3://models?endpoint=nowhere", [:], 2, ["'nowhere' is no endpoint of S3"]),
        ("s3://models", ["AWS_ENDPOINT_URL_S3": "", "AWS_REGION": ""], 2, ["Set AWS_REGION"]),
        ("s3://\(S3Server.missingBucket)", [:], 1, ["there is no bucket '\(S3Server.missingBucket)'"]),
        (
            "s3://\(S3Server.closedBucket)", [:], 4,
            ["s3://\(S3Server.closedBucket)/", "the credentials from AWS_ACCESS_KEY_ID do not allow it"]
        ),
        ("s3://\(S3Server.bucket)", ["AWS_SECRET_ACCESS_KEY": "wrong"], 4, ["credentials from AWS_ACCESS_KEY_ID"]),
        (
            "s3://\(S3Server.bucket)", ["AWS_ACCESS_KEY_ID": "", "HOME": "/nonexistent"], 4,
            ["there are no credentials"]
        ),
        ("s3://\(S3Server.bucket)?endpoint=http://127.0.0.1:1", [:], 3, ["http://127.0.0.1:1", "Connection refused"]),
    ]

    /// A coordinator that is to end by itself.
    private func start(
        blobs: String, data: String, _ change: [String: String]
    ) async throws -> QuernProcess.Outcome {
        try await QuernProcess.run(
            ["coordinator", "--blobs", blobs, "--data", data, "--listen", "127.0.0.1:\(try freePort())"],
            environment: try await S3Server.shared.environment.merging(change) { $1 })
    }

    @Test(arguments: wrong)
    func whatCannotWorkIsSaidAtTheStart(
        place: String, change: [String: String], status: Int32, words: [String]
    ) async throws {
        let folder = try TemporaryFolder()
        let outcome = try await start(blobs: place, data: folder.path("data"), change)
        #expect(outcome.status == status, "\(outcome.errors)")
        for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
        #expect(!FileManager.default.fileExists(atPath: folder.path("data")))
    }

    @Test(arguments: [("maybe", "neither yes nor no"), ("ftp://s3", "no endpoint of S3"), ("http://s3", "in a folder")])
    func waysThatAreNone(direct: String, words: String) async throws {
        let folder = try TemporaryFolder()
        let blobs = words == "in a folder" ? folder.path("data") : "s3://\(S3Server.bucket)"
        let outcome = try await QuernProcess.run(
            ["coordinator", "--blobs", blobs, "--direct-blobs", direct],
            environment: try await S3Server.shared.environment)
        #expect(outcome.status == 2 && outcome.errors.contains(words), "\(outcome.errors)")
    }

    /// The same of the place for artifacts.
    @Test(arguments: wrong)
    func artifactsThatCannotWorkAreRefusedAtTheStart(
        place: String, change: [String: String], status: Int32, words: [String]
    ) async throws {
        let folder = try TemporaryFolder()
        let outcome = try await start(blobs: folder.path("blobs"), data: place, change)
        #expect(outcome.status == status, "\(outcome.errors)")
        for word in words.map({ $0.replacing("--blobs", with: "--data") }) {
            #expect(outcome.errors.contains(word), "\(outcome.errors)")
        }
    }
}
