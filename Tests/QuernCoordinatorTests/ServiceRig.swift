import Foundation
import Hummingbird
import HummingbirdTesting
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// A coordinator on stores of its own, which plans small jobs without reading anything.
struct ServiceRig {
    let folder: TemporaryFolder
    let store: any JobStore
    let blobs: FolderBlobStore
    let coordinator: Coordinator

    static func make(
        store: (any JobStore)? = nil, settings: (inout CoordinatorSettings) -> Void = { _ in },
        planner: @escaping Coordinator.PlanMaker = ServiceRig.plan,
        blobStore: (FolderBlobStore) -> any BlobStore = { $0 }
    ) async throws -> ServiceRig {
        let folder = try TemporaryFolder()
        let jobs = try store ?? SQLiteJobStore(path: folder.path("jobs.sqlite"))
        try await jobs.migrate()
        let blobs = try FolderBlobStore(root: folder.path("blobs"), durability: .process)
        var chosen = CoordinatorSettings()
        // The disk of a test machine may be as full as it likes.
        chosen.uploadLimit = 2
        chosen.claimLimit = 2
        chosen.tick = .milliseconds(100)
        // Samples of results name parts that nobody stores.
        chosen.collection = nil
        settings(&chosen)
        let coordinator = Coordinator(
            store: jobs, blobs: blobStore(blobs), artifacts: .perJob(root: folder.path("out")), settings: chosen,
            planner: planner)
        return ServiceRig(folder: folder, store: jobs, blobs: blobs, coordinator: coordinator)
    }

    static let spans = 3
    static let artifact = Array("the bytes of an artifact, thirty-nine..".utf8)
    static let manifest = Array(#"{"format_version": 1}"#.utf8)
    static let header = Array("a header".utf8)

    static func recipe(_ target: String = "Q8_0", name: String = "tiny") -> Recipe {
        Recipe(source: "/models/tiny", name: name, targets: [Recipe.Target(gguf: target)])
    }

    /// Three spans, one file, the manifest. The name `refused` is refused; the name of an error code throws it.
    @Sendable static func plan(_ recipe: Recipe, costs: SensitivityFile? = nil) throws -> Plan {
        let name = recipe.name ?? "tiny"
        if let code = QuernError.Code(rawValue: name) {
            throw QuernError(
                code, "thrown for the test, with \"quotes\" and ünïcode", at: "here", remedy: "None needed")
        }
        let file = "sub/\(name)-\(recipe.targets[0].name).gguf"
        let target = TargetPlan(
            target: recipe.targets[0].name, files: [.init(name: file, bytes: UInt64(artifact.count))], tensors: [])
        let assemble = PlannedItem(
            payload: .assemble(
                AssembleWork(
                    target: target.target, file: file, size: UInt64(artifact.count), header: [Digest(of: header)],
                    tensors: [])),
            cost: 5, memory: 1, dependencies: Array(0..<spans), label: file)
        let items = (0..<spans).map { Sample.encode(label: "span \($0)") } + [assemble, Sample.publish(after: [spans])]
        let refusals =
            name == "refused"
            ? [Refusal(target: target.target, tensor: "blk.0.ffn_down.weight", reason: "no statistics")] : []
        return Plan(
            name: name, sourceName: "tiny", targets: [target], refusals: refusals, items: refusals.isEmpty ? items : [],
            blobs: [Digest(of: header): header], peakMemory: 1)
    }

    static let worker = SessionRequest(node: "one", slots: 2, memory: 1 << 30, stages: Stage.allCases)

    @discardableResult
    func submit(_ name: String = "tiny", key: String? = nil) async throws -> JobRecord {
        try await coordinator.submit(Submission(recipe: Self.recipe(name: name), idempotencyKey: key))
    }

    /// Does every item of the job as a worker would, and returns the job when it is done.
    func finish(_ job: JobRecord, through service: (any WorkerService)? = nil) async throws -> JobRecord {
        let service = service ?? coordinator
        let session = try await service.openSession(Self.worker).session
        while try await !coordinator.job(job.id).state.isFinal {
            for claim in try await service.claim(session, limit: 8, wait: .zero) {
                try await service.complete(claim.lease, try completion(of: claim))
            }
            _ = try await store.resolve()
        }
        return try await coordinator.job(job.id)
    }

    func completion(of claim: Claim) throws -> Completion {
        let output = ArtifactFolder(root: folder.path("out"), subfolder: claim.lease.item.job.rawValue)
        switch claim.payload {
        case .digest, .tokenize, .calibrate, .merge, .scan, .balance, .factor, .measure, .collect, .encode, .evaluate:
            return Sample.completion("part \(claim.lease.item.ordinal)")
        case .assemble(let work):
            try output.write(Self.artifact, as: work.file)
            return Completion(
                result: .assemble(
                    AssembleResult(
                        file: work.file, size: UInt64(Self.artifact.count), sha256: Digest(of: Self.artifact),
                        tensors: [])))
        case .publish:
            try output.write(Self.manifest, as: "manifest.json")
            return Completion(
                result: .publish(PublishResult(sha256: Digest(of: Self.manifest), size: UInt64(Self.manifest.count))))
        }
    }

    /// Sends requests straight through the router.
    func route<Value>(
        limits: RequestLimits = RequestLimits(), _ body: @Sendable (any TestClientProtocol) async throws -> Value
    ) async throws -> Value {
        let routes = CoordinatorRoutes(coordinator: coordinator, limits: limits)
        return try await Application(router: routes.makeRouter()).test(.router, body)
    }

    /// Serves on a port of this machine.
    func serve<Value>(_ body: (CoordinatorClient) async throws -> Value) async throws -> Value {
        try await serve(with: try CoordinatorServer(coordinator: coordinator, listen: "127.0.0.1:0")) { port in
            try await body(try CoordinatorClient(url: "http://127.0.0.1:\(port)"))
        }
    }

    /// Runs a server while `body` runs, which is given its port.
    func serve<Value>(with server: CoordinatorServer, _ body: (Int) async throws -> Value) async throws -> Value {
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let running = Task {
            defer { announce.finish() }
            try await server.run { announce.yield($0) }
        }
        var port: Int?
        for await opened in ports {
            port = opened
            break
        }
        guard let port else {
            try await running.value
            throw QuernError(.internalFault, "the server ended before it began")
        }
        defer { running.cancel() }
        return try await body(port)
    }
}

extension TestResponse {
    var bytes: [UInt8] { Array(body.readableBytesView) }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    func json<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    /// The problem document; the test fails where the response is none.
    func problem(_ status: Int, at line: SourceLocation = #_sourceLocation) throws -> Problem {
        #expect(self.status.code == status, sourceLocation: line)
        #expect(headers[.contentType] == "application/problem+json", sourceLocation: line)
        let problem: Problem = try json()
        #expect(problem.status == status, sourceLocation: line)
        #expect(problem.type == "urn:quern:error:\(problem.code.rawValue)", sourceLocation: line)
        return problem
    }
}

func jsonBody(_ value: some Encodable) throws -> ByteBuffer {
    ByteBuffer(bytes: try JSONEncoder().encode(value))
}
