import Foundation
import QuernStore
import TestSupport

/// A coordinator and workers as separate processes on this machine, any of which may be killed at any time.
actor Cluster {
    private let database: String
    private let root: String
    private let blobs: String?
    private let environment: [String: String]
    private let port: Int
    private var coordinator: QuernProcess?
    private var workers: [QuernProcess] = []

    nonisolated var url: String { "http://127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - database: a URL or path for `--database`.
    ///   - blobs: a URL for `--blobs`; a folder otherwise.
    ///   - environment: of the coordinator, beside what the tests have.
    init(
        database: String, folder: TemporaryFolder, blobs: String? = nil, environment: [String: String] = [:]
    ) throws {
        self.database = database
        self.blobs = blobs
        self.environment = environment
        root = folder.path("store")
        port = try freePort()
    }

    func start(workers count: Int) async throws {
        try startCoordinator()
        for _ in 0..<count { try startWorker() }
        try await ready()
    }

    func startCoordinator() throws {
        coordinator = try QuernProcess(
            [
                "coordinator", "--database", database, "--blobs", blobs ?? root, "--data", root,
                "--listen", "127.0.0.1:\(port)", "--session-expiry", "2",
            ], environment: environment)
    }

    @discardableResult
    func startWorker(environment: [String: String] = [:]) throws -> QuernProcess {
        let worker = try QuernProcess(
            ["worker", "--coordinator", url, "--slots", "1"], environment: environment)
        workers.append(worker)
        return worker
    }

    /// Kills one process with SIGKILL, the coordinator in one of four cases, and starts another in its place.
    func killSomething(using generator: inout some RandomNumberGenerator) async throws -> String {
        let victim = Int.random(in: 0...workers.count, using: &generator)
        if victim == workers.count {
            coordinator?.send(signal: SIGKILL)
            _ = await coordinator?.outcome()
            try startCoordinator()
            return "coordinator"
        }
        workers[victim].send(signal: SIGKILL)
        workers.remove(at: victim)
        try startWorker()
        return "worker"
    }

    /// Runs a command about jobs against this cluster, until the coordinator is there to answer it.
    func ask(_ arguments: [String]) async throws -> QuernProcess.Outcome {
        var outcome = try await QuernProcess.run(arguments + ["--coordinator", url])
        // 3: not reachable, because it was killed a moment ago or is still starting. But not for ever.
        for _ in 0..<200 where outcome.status == 3 {
            try await Task.sleep(for: .milliseconds(50))
            outcome = try await QuernProcess.run(arguments + ["--coordinator", url])
        }
        return outcome
    }

    private func ready() async throws { _ = try await ask(["list"]) }

    /// Ends everything in good order.
    func stop() async -> [QuernProcess.Outcome] {
        for worker in workers { worker.send(signal: SIGTERM) }
        var outcomes: [QuernProcess.Outcome] = []
        for worker in workers { outcomes.append(await worker.outcome()) }
        coordinator?.send(signal: SIGTERM)
        if let coordinator { outcomes.append(await coordinator.outcome()) }
        return outcomes
    }
}

/// Every file of an output folder with its sha256.
enum FolderDigests {
    static func of(_ folder: String) throws -> [String: String] {
        var digests: [String: String] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where !name.hasPrefix(".") {
            let path = "\(folder)/\(name)"
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            digests[name] = Digest(of: [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))).hex
        }
        return digests
    }
}
