import Foundation
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Testing

/// The client against a coordinator on a port.
@Suite struct ServiceClientTests {
    @Test func everyErrorCrossesTheWire() async throws {
        let rig = try await ServiceRig.make()
        try await rig.serve { client in
            for code in QuernError.Code.allCases {
                let recipe = ServiceRig.recipe(name: code.rawValue)
                var local: QuernError?
                do { _ = try ServiceRig.plan(recipe) } catch let error as QuernError { local = error }
                #expect(local?.code == code)
                await #expect(throws: try #require(local)) {
                    try await client.submit(Submission(recipe: recipe))
                }
            }
        }
    }

    @Test func jobCalls() async throws {
        let rig = try await ServiceRig.make()
        try await rig.serve { client in
            let submission = Submission(recipe: ServiceRig.recipe(), priority: 2, idempotencyKey: "a key: ü/?")
            let job = try await client.submit(submission)
            #expect(try await client.submit(submission).id == job.id)
            #expect(job.priority == 2)
            #expect(try await client.job(job.id).recipe == submission.recipe)
            #expect(try await client.jobs(limit: 5).map(\.id) == [job.id])
            #expect(try await client.items(of: job.id).count == 5)
            #expect(try await client.control(job.id, .pause).state == .paused)
            #expect(try await client.events(of: job.id, after: 1).map(\.kind) == [.paused])
            await #expect(throws: QuernError.self) { try await client.control(job.id, .retry) }
            await #expect(throws: QuernError.self) { try await client.manifest(of: job.id) }
        }
    }

    @Test func workerCallsAndDownloads() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.serve { client in
            let done = try await rig.finish(job, through: client)
            #expect(done.state == .done)
            #expect(try await client.manifest(of: job.id) == ServiceRig.manifest)
            let key = Sample.digest("key of part 0")
            try await rig.blobs.put(Array("part 0".utf8))
            #expect(try await client.lookUp([key, Sample.digest("?")]) == [key: Sample.part("part 0")])
            #expect(try await client.lookUp([]) == [:])

            let folder = rig.folder.path("downloads")
            try await client.download(job: job.id, toFolder: folder)
            let artifact = URL(fileURLWithPath: "\(folder)/sub/tiny-Q8_0.gguf")
            #expect(try [UInt8](Data(contentsOf: artifact)) == ServiceRig.artifact)
            #expect(
                try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(folder)/manifest.json"))) == ServiceRig.manifest)
            #expect(!FileManager.default.fileExists(atPath: artifact.path + ".part"))
            await #expect(throws: QuernError.self) {
                try await client.download(job: job.id, name: "none", to: "\(folder)/none")
            }
        }
    }

    /// What is there of a file is kept; what is wrong is found out by the digest and done again the next time.
    @Test(arguments: [0, 1, 20, 39, 60]) func downloadsGoOn(_ present: Int) async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.finish(try await rig.submit())
        try await rig.serve { client in
            let path = rig.folder.path("download.gguf")
            let name = "sub/tiny-Q8_0.gguf"
            try rig.folder.write(
                ServiceRig.artifact.prefix(present) + Array(repeating: 7, count: max(0, present - 39)),
                to: "download.gguf.part")
            try await client.download(job: job.id, name: name, to: path)
            #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) == ServiceRig.artifact)

            // A second time nothing is transferred.
            let before = try await metric("artifact_sent_bytes_total", rig)
            try await client.download(job: job.id, name: name, to: path)
            #expect(try await metric("artifact_sent_bytes_total", rig) == before)
            #expect(before == (present < 39 ? 39 - present : present == 39 ? 0 : 39))
        }
    }

    @Test func damagedPartIsFoundOut() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.finish(try await rig.submit())
        try await rig.serve { client in
            let path = rig.folder.path("download.gguf")
            try rig.folder.write([0, 0, 0], to: "download.gguf.part")
            await #expect(throws: QuernError.self) {
                try await client.download(job: job.id, name: "sub/tiny-Q8_0.gguf", to: path)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
            try await client.download(job: job.id, name: "sub/tiny-Q8_0.gguf", to: path)
            #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) == ServiceRig.artifact)
        }
    }

    private func metric(_ name: String, _ rig: ServiceRig) async throws -> Int {
        try await rig.route { client in
            let text = try await client.execute(uri: "/metrics", method: .get).text
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("quern_\(name) ") })
            return try #require(Int(line.split(separator: " ")[1]))
        }
    }

    @Test func blobs() async throws {
        let rig = try await ServiceRig.make()
        try await rig.serve { client in
            let remote = try HTTPBlobStore(url: client.url)
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let digest = Digest(of: bytes)
            #expect(try await !remote.contains(digest))
            await #expect(throws: QuernError.self) { try await remote.get(digest) }
            #expect(try await remote.put(bytes) == digest)
            #expect(try await remote.contains(digest))
            #expect(try await remote.get(digest) == bytes)
            let received = try await metric("blob_received_bytes_total", rig)
            try await remote.put(bytes)
            #expect(try await metric("blob_received_bytes_total", rig) == received)
            await #expect(throws: QuernError.self) {
                try await remote.put([UInt8](repeating: 0, count: maximumBlobBytes + 1))
            }
        }
    }

    @Test func fullDisk() async throws {
        let rig = try await ServiceRig.make { $0.uploadLimit = 0 }
        try await rig.serve { client in
            let remote = try HTTPBlobStore(url: client.url)
            let error = await #expect(throws: QuernError.self) {
                try await remote.put([UInt8](repeating: 5, count: 1 << 20))
            }
            #expect(error?.code == .outOfSpace)
        }
    }

    @Test func nobodyThere() async throws {
        let rig = try await ServiceRig.make()
        // A port that was open a moment ago, and is not any more.
        let url = try await rig.serve { $0.url }
        let client = try CoordinatorClient(url: "http://127.0.0.1:1")
        let error = await #expect(throws: QuernError.self) { try await client.jobs(limit: 1) }
        #expect(error?.code == .unavailable)
        #expect(error?.location == "http://127.0.0.1:1")
        #expect(url.hasPrefix("http://127.0.0.1:"))
    }

    @Test(arguments: ["", "localhost:7070", "ftp://host", "http://", "http://h/?q=1", "file:///etc/passwd"])
    func addressesThatAreNone(_ url: String) {
        let error = #expect(throws: QuernError.self) { try CoordinatorClient(url: url) }
        #expect(error?.code == .usage)
    }
}

@Suite struct EventStreamParserTests {
    private static let text =
        ": comment\r\nid: 7\r\nevent: done\r\ndata: {\"a\":1}\r\n\r\ndata:one\rdata: two\r\r\nevent: x\n\ndata\n\n"

    private static let events = [
        ServerSentEvent(name: "done", id: "7", data: "{\"a\":1}"),
        ServerSentEvent(name: "message", id: "7", data: "one\ntwo"),
        ServerSentEvent(name: "message", id: "7", data: ""),
    ]

    @Test(arguments: 1...9) func anyCut(_ size: Int) {
        var parser = EventStreamParser()
        var found: [ServerSentEvent] = []
        let bytes = Array(Self.text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            found += parser.feed(bytes[start..<min(start + size, bytes.count)]) ?? []
        }
        #expect(found == Self.events)
    }

    @Test func endlessLine() {
        var parser = EventStreamParser()
        #expect(parser.feed(repeatElement(UInt8(ascii: "x"), count: EventStreamParser.longestLine)) == [])
        #expect(parser.feed([UInt8(ascii: "x")]) == nil)
    }
}
