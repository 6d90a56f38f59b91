import ArgumentParser
import Foundation
import Logging
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import ServiceLifecycle

struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Plan jobs, lease work to workers, serve results.",
        discussion: """
            Example: quern coordinator --database postgres://quern@localhost/quern --blobs /srv/quern --listen 127.0.0.1:7341

            It also assembles artifacts, next to the blobs, because that is where their bytes lie.
            """)

    @Option(help: "postgres://… for PostgreSQL, or the path of an SQLite file (default: quern.sqlite in the blobs folder).")
    var database: String?

    @Option(help: "Folder for blobs and artifacts.", completion: .directory)
    var blobs: String?

    @Option(help: "Address to listen on.")
    var listen: String?

    @Option(help: "Folder that sources may lie in; may be repeated. All, where none is named and only this machine can connect.",
        completion: .directory)
    var sourceRoot: [String] = []

    @Flag(help: "Listen beyond this machine although anyone who connects may do anything. Only for closed networks.")
    var allowRemoteWithoutTokens = false

    @Flag(inversion: .prefixedNo, help: "Assemble artifacts in this process.")
    var assemble = true

    func run() async throws {
        let settings = try Settings.load()
        var logger = Logger(label: "quern.coordinator", factory: StreamLogHandler.standardError)
        logger.logLevel = .info
        let here = FileManager.default.currentDirectoryPath
        let root = RecipeOptions.absolute(settings.value(.blobs, flag: blobs) ?? "quern-data", from: here)
        let address = try ListenAddress(parsing: settings.value(.listen, flag: listen) ?? "127.0.0.1:7341")
        let store = try jobStore(settings.value(.database, flag: database) ?? root + "/quern.sqlite", root: root)
        try await store.migrate()
        let folder = try FolderBlobStore(root: root)
        let coordinator = Coordinator(
            store: store, blobs: folder,
            settings: .serving(artifacts: root + "/artifacts", sourceRoots: sourceRoot.map { RecipeOptions.absolute($0, from: here) }),
            logger: logger)
        let server = try CoordinatorServer(
            coordinator: coordinator, listen: address, allowRemoteWithoutTokens: allowRemoteWithoutTokens, logger: logger)
        var services: [any Service] = [coordinator, server]
        if assemble {
            services.append(try assembler(coordinator, blobs: folder, root: root, logger: logger))
        }
        logger.info("listening", metadata: ["address": "\(address)", "blobs": "\(root)"])
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    private func jobStore(_ database: String, root: String) throws -> any JobStore {
        if database.hasPrefix("postgres://") || database.hasPrefix("postgresql://") {
            return try PostgresJobStore(url: database)
        }
        let path = database.hasPrefix("sqlite://") ? String(database.dropFirst("sqlite://".count)) : database
        if path.contains("://") {
            throw QuernError(
                .usage, "'\(path)' is no database this program knows", at: "--database",
                remedy: "Give a postgres:// URL or the path of an SQLite file")
        }
        try? FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        return try SQLiteJobStore(path: path)
    }

    /// A worker in this process that only writes artifacts and manifests.
    private func assembler(
        _ coordinator: Coordinator, blobs: FolderBlobStore, root: String, logger: Logger
    ) throws -> Worker {
        let artifacts = root + "/artifacts"
        try FileManager.default.createDirectory(atPath: artifacts, withIntermediateDirectories: true)
        return Worker(
            service: coordinator, blobs: blobs, artifacts: { try ArtifactFolder(root: artifacts, job: $0.rawValue) },
            configuration: WorkerConfiguration(
                node: ProcessInfo.processInfo.hostName, slots: 1, stages: [.assemble, .publish]), logger: logger)
    }
}
