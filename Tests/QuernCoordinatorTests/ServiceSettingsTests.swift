import Foundation
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

@Suite struct ServiceSettingsTests {
    @Test(arguments: [
        ("127.0.0.1:7070", "127.0.0.1", 7070, true), ("127.8.9.1:0", "127.8.9.1", 0, true),
        ("localhost:1", "localhost", 1, true), ("[::1]:80", "::1", 80, true),
        ("0.0.0.0:65535", "0.0.0.0", 65535, false),
        ("[::]:7070", "::", 7070, false), ("quern.example:7070", "quern.example", 7070, false),
        ("127.0.0.1.example:1", "127.0.0.1.example", 1, false), ("127.0.0:1", "127.0.0", 1, false),
    ])
    func addresses(_ text: String, _ host: String, _ port: Int, _ loopback: Bool) throws {
        let address = try ListenAddress(text)
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.isLoopback == loopback)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "7070", ":7070", "host:", "host:x", "host:65536", "host:-1", "host:+1", "::1:80", "[::1]", "[::1]80",
    ])
    func addressesThatAreNone(_ text: String) {
        let error = #expect(throws: QuernError.self) { try ListenAddress(text) }
        #expect(error?.code == .usage)
    }

    /// Nobody opens a coordinator to the network by accident.
    @Test(arguments: ["0.0.0.0:0", "[::]:0", "host.example:0"])
    func listeningBeyondThisMachine(_ listen: String) async throws {
        let open = try await ServiceRig.make()
        let noRoots = #expect(throws: QuernError.self) {
            try CoordinatorServer(coordinator: open.coordinator, listen: listen, allowRemoteWithoutTokens: true)
        }
        #expect(noRoots?.remedy.contains("--source-root") == true)
        let closed = try await ServiceRig.make { $0.sourceRoots = ["/models"] }
        let server = try CoordinatorServer(coordinator: closed.coordinator, listen: listen)
        let refused = await #expect(throws: QuernError.self) { try await server.run() }
        #expect(refused?.code == .usage && refused?.remedy.contains("quern token create") == true)
        #expect(refused?.remedy.contains("--allow-remote-without-tokens") == true)
    }

    @Test func portInUse() async throws {
        let rig = try await ServiceRig.make()
        try await rig.serve { client in
            let port = try #require(client.url.split(separator: ":").last)
            let other = try CoordinatorServer(coordinator: rig.coordinator, listen: "127.0.0.1:\(port)")
            let error = await #expect(throws: QuernError.self) { try await other.run() }
            #expect(error?.code == .conflict)
            #expect(error?.location == "127.0.0.1:\(port)")
        }
    }

    @Test func sourceRoots() async throws {
        let folder = try TemporaryFolder()
        let models = folder.path("models")
        for path in ["models/tiny/config.json", "models-2/config.json", "secret/config.json"] {
            try folder.write("{}", to: path)
        }
        try folder.link("models/link", to: folder.path("secret"))
        try folder.link("alias", to: models)
        let rig = try await ServiceRig.make { $0.sourceRoots = [folder.path("alias")] }
        func submit(_ source: String, imatrix: String? = nil) async throws {
            var recipe = ServiceRig.recipe()
            recipe.source = source
            recipe.imatrix = imatrix
            _ = try await rig.coordinator.submit(Submission(recipe: recipe))
        }
        for inside in [
            models, "\(models)/tiny", "\(models)/tiny/../tiny", "\(folder.path("alias"))/tiny", "\(models)/new",
        ] {
            try await submit(inside)
        }
        for outside in [
            "\(models)-2", "\(models)/../secret", "\(models)/link", "\(models)/link/config.json", "/etc/passwd", "/",
            folder.path,
        ] {
            let error = await #expect(throws: QuernError.self, "\(outside)") { try await submit(outside) }
            #expect(error?.code == .unauthorized)
            #expect(error?.location == "source")
            let imatrix = await #expect(throws: QuernError.self) { try await submit(models, imatrix: outside) }
            #expect(imatrix?.location == "imatrix")
        }
    }

    /// Space is reserved when a job is admitted: one that fits alone is refused beside one that took the space.
    @Test func admission() async throws {
        let huge = UInt64(1) << 60
        let rig = try await ServiceRig.make(planner: { recipe, _ in
            let plan = try ServiceRig.plan(recipe)
            guard recipe.name == "huge" else { return plan }
            return .init(
                name: plan.name, sourceName: plan.sourceName,
                targets: [.init(target: "Q8_0", files: [.init(name: "huge.gguf", bytes: huge)], tensors: [])],
                refusals: [], items: plan.items, blobs: plan.blobs, peakMemory: 1)
        })
        try await rig.submit("small")
        let error = await #expect(throws: QuernError.self) { try await rig.submit("huge") }
        #expect(error?.code == .outOfSpace)
        #expect(error?.message.contains("\(huge)") == true)

        // A running job's unwritten files count as well.
        _ = try await rig.store.insert(
            NewJob(
                id: JobID(rawValue: "admitted"), name: "huge", recipe: ServiceRig.recipe(),
                items: [Sample.publish(after: [])],
                artifacts: [.init(target: "Q8_0", files: [.init(name: "huge.gguf", bytes: huge)])]))
        let beside = await #expect(throws: QuernError.self) { try await rig.submit("small") }
        #expect(beside?.code == .outOfSpace)
        _ = try await rig.coordinator.control(JobID(rawValue: "admitted"), .cancel)
        try await rig.submit("small")
    }

    @Test func identifiers() async throws {
        let rig = try await ServiceRig.make()
        var ids: [String] = []
        for index in 0..<5 { ids.append(try await rig.submit("job\(index)").id.rawValue) }
        #expect(Set(ids).count == 5)
        #expect(ids.allSatisfy { $0.count == 16 && $0.allSatisfy { "0123456789abcdefghjkmnpqrstvwxyz".contains($0) } })
        // Ids of different milliseconds sort by age.
        #expect(ids.map { $0.prefix(9) } == ids.map { $0.prefix(9) }.sorted())
        let keyed = try await rig.submit("keyed", key: "k").id.rawValue
        #expect(keyed.count == 17 && keyed.hasPrefix("k"))
    }
}
