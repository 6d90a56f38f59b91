import ArgumentParser
import Foundation
import Logging
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Plan jobs, lease work to workers, serve results.",
        discussion: """
            Example: quern coordinator --database postgres://quern@localhost/quern --blobs /srv/quern --listen 127.0.0.1:7341

            It also assembles artifacts, and evaluates them, next to the blobs, because that is where their bytes lie.

            With --tls-certificate and --tls-key it speaks https. Both files are read again when they change, so that a \
            renewed certificate needs no restart.

            With --blobs s3://BUCKET/PREFIX blobs lie in S3, or on another server of its kind, and so do artifacts with \
            --data s3://BUCKET/PREFIX. Credentials, region and endpoint are those of the AWS command line: \
            AWS_ACCESS_KEY_ID and so on, a profile, a role, the agent of a container, the metadata of the machine. \
            ?endpoint=URL&region=NAME&style=path|virtual&profile=NAME after the prefix come before these. Workers fetch and \
            store blobs in S3 themselves where they can.
            """)

    @Option(
        help:
            "postgres://… for PostgreSQL, or the path of an SQLite file (default: quern.sqlite in the data folder, or beside the blobs)."
    )
    var database: String?

    @Option(help: "Folder for blobs, or s3://BUCKET/PREFIX.", completion: .directory)
    var blobs: String?

    @Option(
        help: ArgumentHelp(
            "Whether workers fetch and store blobs in S3 themselves, by addresses that the coordinator signs: yes, no, "
                + "or the endpoint at which they reach S3, where that is another one (default: yes).",
            valueName: "yes|no|URL"))
    var directBlobs: String?

    @Option(
        help:
            "Folder for artifacts, or s3://BUCKET/PREFIX (default: the blobs folder; ./quern-data where blobs lie in S3).",
        completion: .directory)
    var data: String?

    @Option(help: "Address to listen on.")
    var listen: String?

    @Option(
        help: "Speak TLS with this certificate, in PEM, those between it and its authority behind it.",
        completion: .file())
    var tlsCertificate: String?

    @Option(help: "The certificate's private key, in PEM.", completion: .file())
    var tlsKey: String?

    @Option(
        help:
            "Folder that sources may lie in; may be repeated. All, where neither this nor a host is named and only this machine can connect.",
        completion: .directory)
    var sourceRoot: [String] = []

    @Option(
        help: ArgumentHelp(
            "Host that hf:// and s3:// sources may be read from; may be repeated. The hub's and S3's own, where neither "
                + "this nor a folder is named.",
            valueName: "host"))
    var sourceHost: [String] = []

    @Flag(help: "Listen beyond this machine although anyone who connects may do anything. Only for closed networks.")
    var allowRemoteWithoutTokens = false

    @Option(help: "Connections that may be open from one address (default: 8192).")
    var connectionsPerPeer: Int?

    @Option(
        help:
            "Requests a second under one token, or from one address with tokens of leases or with none (default: 20000)."
    )
    var requestsPerSecond: Double?

    @Option(help: "What else can evaluate artifacts in this process: cuda, for jobs that have cards compute the model.")
    var forward: ForwardDevice?

    @Flag(inversion: .prefixedNo, help: "Assemble and evaluate artifacts in this process.")
    var assemble = true

    @Option(
        help: ArgumentHelp(
            "Finished parts that no job has used for this long are removed; 0 to keep them no longer than needed, none to keep all.",
            valueName: "days"))
    var keepParts: String = "7"

    @Option(
        help: ArgumentHelp(
            "Jobs that have been over for this long move to history, out of the way of others; none to leave them. With PostgreSQL less than 120 is for tests.",
            valueName: "seconds"))
    var historyAge: String = "3600"

    @Option(
        help: ArgumentHelp("After this long without a heartbeat a worker's items go to others.", valueName: "seconds"))
    var sessionExpiry: Double = 45

    func run() async throws {
        let settings = try Settings.load()
        guard sessionExpiry >= 1 else { throw QuernError(.usage, "must be at least 1", at: "--session-expiry") }
        let certificate = try self.certificate(settings)
        let logger = Log.logger("quern.coordinator")
        let here = FileManager.default.currentDirectoryPath
        let given = settings.value(.blobs, flag: blobs) ?? "quern-data"
        let isURL = given.contains("://")
        let place = isURL ? given : RecipeOptions.absolute(given, from: here)
        let direct = try DirectBlobs(settings.value(.directBlobs, flag: directBlobs))
        guard isURL || direct.endpoint == nil else {
            throw QuernError(.usage, "blobs in a folder have no endpoint", at: "--direct-blobs")
        }
        let blobs: any BlobStore =
            if isURL { try await blobStore(at: place, direct) } else { try FolderBlobStore(root: place) }
        let data = settings.value(.data, flag: data)
        let objects: (any ArtifactObjects)? =
            if let data, data.contains("://") { try await artifactObjects(at: data) } else { nil }
        let root = RecipeOptions.absolute(
            (objects == nil ? data : nil) ?? (isURL ? "quern-data" : place), from: here)
        let artifacts =
            objects.map { .objects($0.below("artifacts")) } ?? ArtifactLocation.perJob(root: root + "/artifacts")
        let database = settings.value(.database, flag: database)
        // Nothing else needs this folder.
        if objects == nil || database == nil { try FileSystem.makeFolder(root) }
        var behaviour = CoordinatorSettings()
        behaviour.expiry = .seconds(sessionExpiry)
        behaviour.heartbeat = .seconds(sessionExpiry / 4.5)
        // Who wants to know soon that a worker is dead does not wait longer for a dead coordinator's duties.
        behaviour.term = .seconds(min(15, sessionExpiry / 3))
        behaviour.sourceRoots = sourceRoot.isEmpty ? nil : sourceRoot.map { RecipeOptions.absolute($0, from: here) }
        behaviour.collection = try collection()
        behaviour.directBlobs = direct.areAllowed
        behaviour.historyAge = try age()
        if !sourceHost.isEmpty { behaviour.sourceHosts = .listed(try sourceHost.map(Self.hostName)) }
        let store = try Self.jobStore(database ?? root + "/quern.sqlite")
        try await store.migrate()
        let coordinator = Coordinator(
            store: store, blobs: blobs,
            artifacts: artifacts, settings: behaviour, logger: logger)
        let server = try CoordinatorServer(
            coordinator: coordinator, listen: settings.value(.listen, flag: listen) ?? "127.0.0.1:7341",
            certificate: certificate, limits: try limits(), allowRemoteWithoutTokens: allowRemoteWithoutTokens,
            logger: logger)
        let forward = try ForwardDevice.request(settings, flag: forward)
        let engine: any ComputeEngine =
            forward == .cpu || !assemble
            ? ProcessorEngine() : try WorkerDevice(.cuda, forward: forward, logger: logger).engine
        func worker(_ stages: Set<Stage>, slots: Int) throws -> Worker {
            var configuration = WorkerConfiguration(
                node: ProcessInfo.processInfo.hostName, slots: slots,
                memory: try WorkMemory.resolve(settings, flag: nil), stages: stages)
            configuration.engine = engine
            return Worker(
                service: coordinator, blobs: coordinator.blobs, artifacts: { artifacts.place(of: $0) },
                configuration: configuration, logger: logger)
        }
        var workers: [Worker] = []
        if assemble {
            workers.append(try worker([.assemble, .publish], slots: 1))
            // Apart, so that files need not wait for the scores of others.
            let evaluation = Stage.runnable(among: [.evaluate], with: engine, logger: logger)
            let slots = try settings.integer(.slots, flag: nil) ?? ProcessInfo.processInfo.activeProcessorCount
            if !evaluation.isEmpty { workers.append(try worker(evaluation, slots: slots)) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run(handlesSignals: true) { port in
                    logger.notice(
                        "listening",
                        metadata: [
                            "host": "\(server.listen.host)", "port": "\(port)", "blobs": "\(place)",
                            "scheme": server.isSecure ? "https" : "http",
                        ])
                }
            }
            for worker in workers { group.addTask { try await worker.run() } }
            try await group.next()
            group.cancelAll()
        }
    }
}

extension CoordinatorCommand {
    private func limits() throws -> RequestLimits {
        var limits = RequestLimits()
        if let connectionsPerPeer {
            guard connectionsPerPeer > 0 else {
                throw QuernError(.usage, "must be at least 1", at: "--connections-per-peer")
            }
            limits.connectionsPerPeer = connectionsPerPeer
        }
        if let requestsPerSecond {
            guard requestsPerSecond >= 1, requestsPerSecond < 1e9 else {
                throw QuernError(.usage, "must be at least 1", at: "--requests-per-second")
            }
            (limits.requestsPerSecond, limits.burst) = (requestsPerSecond, 2 * requestsPerSecond)
        }
        return limits
    }

    private func certificate(_ settings: Settings) throws -> CertificateFiles? {
        switch (settings.value(.tlsCertificate, flag: tlsCertificate), settings.value(.tlsKey, flag: tlsKey)) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return CertificateFiles(certificate: certificate, key: key)
        case (let certificate, _):
            throw QuernError(
                .usage, certificate == nil ? "a key without its certificate" : "a certificate without its key",
                at: certificate == nil ? "--tls-key" : "--tls-certificate",
                remedy: "Name both files with --tls-certificate and --tls-key")
        }
    }

    /// How blobs in S3 come to workers.
    private struct DirectBlobs {
        let areAllowed: Bool
        let endpoint: String?

        init(_ text: String?) throws {
            areAllowed = text != "no"
            endpoint = text.flatMap { ["yes", "no"].contains($0) ? nil : $0 }
            guard endpoint.map({ $0.contains("://") }) ?? true else {
                throw QuernError(
                    .usage, "'\(text ?? "")' is neither yes nor no nor an endpoint", at: "--direct-blobs",
                    remedy: "Give an endpoint as http://HOST:PORT or https://HOST")
            }
        }
    }

    private func blobStore(at url: String, _ direct: DirectBlobs) async throws -> any BlobStore {
        guard S3BlobStore.isPlace(url) else {
            throw QuernError(
                .usage, "'\(url)' is no place for blobs that this program knows", at: "--blobs",
                remedy: "Give a folder or s3://BUCKET/PREFIX")
        }
        let store = try S3BlobStore(url: url, directEndpoint: direct.endpoint)
        try await store.checkBucket()
        return store
    }

    private func artifactObjects(at url: String) async throws -> any ArtifactObjects {
        guard S3BlobStore.isPlace(url) else {
            throw QuernError(
                .usage, "'\(url)' is no place for artifacts that this program knows", at: "--data",
                remedy: "Give a folder or s3://BUCKET/PREFIX")
        }
        let objects = try S3Artifacts(url: url)
        try await objects.checkWritable()
        return objects
    }

    private func collection() throws -> CoordinatorSettings.Collection? {
        guard keepParts != "none" else { return nil }
        guard let days = Double(keepParts), (0...36_500).contains(days) else {
            throw QuernError(
                .usage, "'\(keepParts)' is no number of days", at: "--keep-parts", remedy: "Say 7, 0.5 or none")
        }
        var collection = CoordinatorSettings.Collection()
        collection.retention.parts = .seconds(days * 86_400)
        return collection
    }

    private func age() throws -> Duration? {
        guard historyAge != "none" else { return nil }
        guard let seconds = Double(historyAge), (1...1e9).contains(seconds) else {
            throw QuernError(
                .usage, "'\(historyAge)' is no number of seconds", at: "--history-age",
                remedy: "Say 3600, another number from 1 on, or none")
        }
        return .seconds(seconds)
    }

    /// A host as lists have it.
    private static func hostName(_ text: String) throws -> String {
        guard !text.isEmpty, !text.contains("/"), !text.contains("@") else {
            throw QuernError(
                .usage, "'\(text)' is no host", at: "--source-host", remedy: "Give it as HOST, or HOST:PORT")
        }
        for usual in [":443", ":80"] where text.hasSuffix(usual) { return String(text.dropLast(usual.count)) }
        return text
    }

    /// The job database at a URL or path.
    /// - Throws: `.usage` for another kind of database; what opening it throws.
    static func jobStore(_ database: String) throws -> any JobStore {
        if database.hasPrefix("postgres://") || database.hasPrefix("postgresql://") {
            return PostgresJobStore(url: database)
        }
        let path = database.hasPrefix("sqlite://") ? String(database.dropFirst("sqlite://".count)) : database
        if path.contains("://") {
            throw QuernError(
                .usage, "'\(path)' is no database this program knows", at: "--database",
                remedy: "Give a postgres:// URL or the path of an SQLite file")
        }
        return try SQLiteJobStore(path: path)
    }
}
