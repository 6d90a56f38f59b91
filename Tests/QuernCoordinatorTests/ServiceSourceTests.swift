import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import Synchronization
import Testing

/// What a coordinator opens for whoever submits a job.
@Suite struct ServiceSourceTests {
    private static let commit = String(repeating: "0", count: 40)
    private static let model = "hf://acme/m@\(commit)"
    private static let metadata = "s3://b-1/m?endpoint=http://169.254.169.254"

    /// One for all of these tests, which run at the same time.
    private static let sources = MovingSources()

    init() { SourcePlace.use(Self.sources) }

    /// Of the settings, the source, and the word in the refusal; nil where it is taken.
    private static let cases: [(hosts: SourceHosts, roots: [String]?, source: String, refusal: String?)] = [
        (.any, nil, model, nil), (.any, nil, metadata, nil), (.any, nil, "/models/m", nil),
        (.any, nil, "s3://b-1/m?profile=other", nil),
        (.usual, nil, model, nil), (.usual, nil, "s3://b-1/m", nil), (.usual, nil, "/models/m", nil),
        (.usual, nil, "s3://b-1/m?region=us-west-2", nil),
        (.usual, nil, metadata, "--source-host 169.254.169.254"),
        (.usual, nil, "s3://b-1/m?endpoint=http://127.0.0.1:9000", "--source-host 127.0.0.1:9000"),
        (.usual, nil, "s3://b-1/m?profile=other", "AWS_PROFILE"),
        // Whoever names folders means no hosts, and the other way round.
        (.usual, ["/models"], model, "--source-host hub.example:8080"),
        (.usual, ["/models"], "s3://b-1/m", "--source-host s3.eu-west-1.amazonaws.com"),
        (.usual, ["/models"], "/models/m", nil),
        (.listed(["hub.example:8080"]), nil, "/models/m", "--source-root"),
        (.listed(["hub.example:8080"]), ["/models"], "/models/m", nil),
        (.listed(["Hub.Example:8080"]), nil, model, nil),
        (.listed(["hub.example"]), nil, model, "--source-host hub.example:8080"),
        (.listed(["example:8080"]), nil, model, "hub.example:8080"),
        (.listed(["hub.example:8080"]), nil, "s3://b-1/m", "--source-host s3.eu-west-1"),
        (.listed(["s3.eu-west-1.amazonaws.com"]), nil, "s3://b-1/m", nil),
        (.listed(["s3.eu-west-1.amazonaws.com"]), nil, "s3://b-1/m?region=eu-west-2", "s3.eu-west-2"),
        (.listed(["b-1.s3.eu-west-1.amazonaws.com"]), nil, "s3://b-1/m", nil),
        (.listed(["b-1.s3.eu-west-1.amazonaws.com"]), nil, "s3://b-2/m", "s3.eu-west-1"),
        (.listed(["s3.eu-west-1.amazonaws.com"]), nil, metadata, "--source-host 169.254.169.254"),
        (.listed(["169.254.169.254"]), nil, metadata, nil),
        (.listed(["s3.eu-west-1.amazonaws.com"]), nil, "s3://b-1/m?profile=other", "AWS_PROFILE"),
        (.listed([]), nil, model, "hub.example:8080"),
    ]

    @Test(arguments: cases)
    func opensWhatItIsAllowed(
        hosts: SourceHosts, roots: [String]?, source: String, refusal: String?
    ) async throws {
        let rig = try await ServiceRig.make {
            $0.sourceHosts = hosts
            $0.sourceRoots = roots
        }
        var recipe = ServiceRig.recipe()
        recipe.source = source
        guard let refusal else {
            let job = try await rig.coordinator.submit(Submission(recipe: recipe))
            #expect(job.recipe.source == source)
            return
        }
        let error = await #expect(throws: QuernError.self) {
            try await rig.coordinator.submit(Submission(recipe: recipe))
        }
        #expect(error?.code == .unauthorized)
        #expect(error?.location == "source")
        #expect(error?.description.contains(refusal) == true, "\(error?.description ?? "")")
    }

    /// Texts and matrices are files.
    @Test(arguments: [model, "s3://b-1/x", "https://hub.example/x", "file:///etc/passwd"])
    func onlySourcesAreURLs(_ url: String) async throws {
        let rig = try await ServiceRig.make { $0.sourceHosts = .any }
        var recipe = ServiceRig.recipe()
        recipe.imatrix = url
        let error = await #expect(throws: QuernError.self) {
            try await rig.coordinator.submit(Submission(recipe: recipe))
        }
        #expect(error?.code == .usage && error?.location == "imatrix")
    }

    @Test func hostsLetACoordinatorListen() async throws {
        let rig = try await ServiceRig.make { $0.sourceHosts = .listed(["hub.example"]) }
        let server = try CoordinatorServer(coordinator: rig.coordinator, listen: "0.0.0.0:0")
        #expect(!server.listen.isLoopback)
        let open = try await ServiceRig.make { $0.sourceHosts = .any }
        let error = #expect(throws: QuernError.self) {
            try CoordinatorServer(coordinator: open.coordinator, listen: "0.0.0.0:0")
        }
        #expect(error?.remedy.contains("--source-host") == true)
    }

    /// A branch is looked up when a job is submitted, and the key of a submission stands for what was asked.
    @Test func aBranchBecomesACommit() async throws {
        let rig = try await ServiceRig.make { $0.sourceHosts = .any }
        var recipe = ServiceRig.recipe()
        recipe.source = "hf://moving/m"
        let first = try await rig.coordinator.submit(Submission(recipe: recipe, idempotencyKey: "k"))
        #expect(first.recipe.source.hasPrefix("hf://moving/m@0000"))
        let again = try await rig.coordinator.submit(Submission(recipe: recipe, idempotencyKey: "k"))
        #expect(again.id == first.id)
        let later = try await rig.coordinator.submit(Submission(recipe: recipe))
        #expect(later.recipe.source.hasPrefix("hf://moving/m@0000") && later.recipe.source != first.recipe.source)
        recipe.source = "hf://moving/other"
        await #expect(throws: QuernError.self) {
            try await rig.coordinator.submit(Submission(recipe: recipe, idempotencyKey: "k"))
        }
    }
}

/// Names places as the program does, without a network: every look at a branch finds another commit.
private final class MovingSources: RemoteReader {
    private let sources = RemoteSources(environment: [
        "HF_ENDPOINT": "http://hub.example:8080", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s", "HOME": "/none",
    ]) { 0 }
    private let looks = Atomic(1)

    func pinned(_ url: String) throws -> String {
        guard HubURL.isMeant(by: url), try !HubURL(url).isPinned else { return url }
        let number = String(looks.wrappingAdd(1, ordering: .relaxed).oldValue)
        return try HubURL(url).at(commit: String(repeating: "0", count: 40 - number.count) + number).text
    }

    func isPinned(_ pinned: String, of url: String) -> Bool { sources.isPinned(pinned, of: url) }
    func name(of url: String) -> String { sources.name(of: url) }
    func manifestName(of url: String) -> String { sources.manifestName(of: url) }
    func host(of url: String) throws -> RemoteHost { try sources.host(of: url) }
    func isFolder(_ url: String) throws -> Bool { try sources.isFolder(url) }
    func folder(_ url: String) throws -> any CheckpointFolder { try sources.folder(url) }
    func file(_ url: String) throws -> any CheckpointFile { try sources.file(url) }
    func file(_ url: String, size: UInt64, version: String) throws -> any CheckpointFile {
        try sources.file(url, size: size, version: version)
    }
}
