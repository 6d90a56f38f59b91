import Foundation

/// Coordinators and workers as separate processes on this machine, any of which may be killed at any time.
public actor Cluster {
    /// What a cluster is made of.
    public struct Settings: Sendable {
        /// A URL or path for `--database`.
        public var database: String
        /// Folder for `--data`, and for blobs, where nothing else is said.
        public var root: String
        /// A URL for `--data`.
        public var data: String?
        /// A URL for `--blobs`.
        public var blobs: String?
        /// Of the coordinators and of the workers, beside what this process has.
        public var coordinatorEnvironment: [String: String] = [:]
        public var workerEnvironment: [String: String] = [:]
        /// Of the coordinators, which share the database; one where that is a file.
        public var ports: [Int]
        /// Seconds after which a silent worker counts as dead.
        public var sessionExpiry = 2.0
        public var slots = 1
        /// The program that is run.
        public var program = QuernProcess.binary
        /// More options of `quern coordinator`.
        public var coordinatorOptions: [String] = []
        /// Where workers find their coordinators; nil for the addresses they listen on.
        public var workerURLs: [String]?
        /// Commands that run another, before the program's name.
        public var coordinatorLauncher: [String] = []
        public var workerLauncher: [String] = []
        /// Host that the coordinators listen on.
        public var host = "127.0.0.1"
        /// Folder for what processes say on standard error, kept after they end; nil for none.
        public var logs: String?

        /// On free ports.
        public init(database: String, root: String, coordinators: Int = 1) throws {
            self.database = database
            self.root = root
            ports = try (0..<coordinators).map { _ in try freePort() }
        }

        public var urls: [String] { ports.map { "http://\(host):\($0)" } }
    }

    public enum Role: String, Sendable { case coordinator, worker }

    /// A process and what it was started as.
    public struct Member: Sendable {
        public let role: Role
        /// Among those of its role.
        public let index: Int
        public let process: QuernProcess
        public var name: String { "\(role.rawValue) \(index)" }
    }

    private var settings: Settings
    private var coordinators: [Member] = []
    private var workers: [Member] = []
    private var starts = 0

    public nonisolated let urls: [String]
    public nonisolated var url: String { urls[0] }

    public init(_ settings: Settings) throws {
        self.settings = settings
        urls = settings.urls
        if let logs = settings.logs {
            try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
        }
    }

    /// - Parameters:
    ///   - database: a URL or path for `--database`.
    ///   - blobs: a URL for `--blobs`; a folder otherwise.
    ///   - data: a URL for `--data`; a folder otherwise.
    ///   - environment: of the coordinator, beside what the tests have.
    public init(
        database: String, folder: TemporaryFolder, blobs: String? = nil, data: String? = nil,
        environment: [String: String] = [:]
    ) throws {
        var settings = try Settings(database: database, root: folder.path("store"))
        settings.blobs = blobs
        settings.data = data
        settings.coordinatorEnvironment = environment
        try self.init(settings)
    }

    public var members: [Member] { coordinators + workers }

    public func start(workers count: Int) async throws {
        for index in urls.indices { coordinators.append(try makeCoordinator(index)) }
        for _ in 0..<count { try startWorker() }
        _ = try await ask(["list"])
    }

    @discardableResult
    public func startWorker(environment: [String: String] = [:]) throws -> QuernProcess {
        let member = try makeWorker(workers.count, environment)
        workers.append(member)
        return member.process
    }

    private func makeCoordinator(_ index: Int) throws -> Member {
        let arguments =
            [
                "coordinator", "--database", settings.database, "--blobs", settings.blobs ?? settings.root, "--data",
                settings.data ?? settings.root, "--listen", "\(settings.host):\(settings.ports[index])",
                "--session-expiry",
                "\(settings.sessionExpiry)",
            ] + settings.coordinatorOptions
        return try make(
            .coordinator, index, arguments, settings.coordinatorEnvironment, settings.coordinatorLauncher)
    }

    private func makeWorker(_ index: Int, _ environment: [String: String] = [:]) throws -> Member {
        let urls = settings.workerURLs ?? urls
        return try make(
            .worker, index,
            ["worker", "--coordinator", urls[index % urls.count], "--slots", "\(settings.slots)"],
            settings.workerEnvironment.merging(environment) { $1 }, settings.workerLauncher)
    }

    private func make(
        _ role: Role, _ index: Int, _ arguments: [String], _ environment: [String: String], _ launcher: [String]
    ) throws -> Member {
        starts += 1
        let log = settings.logs.map { "\($0)/\(role.rawValue)-\(index)-start\(starts).log" }
        let process = try QuernProcess(
            arguments, environment: environment, launcher: launcher, errors: log, program: settings.program)
        return Member(role: role, index: index, process: process)
    }

    /// Has processes that are started from now on run another build of the program.
    public func install(_ program: URL, coordinatorOptions: [String]) {
        settings.program = program
        settings.coordinatorOptions = coordinatorOptions
    }

    /// Kills a process with SIGKILL and starts another in its place.
    /// - Throws: where it had ended by itself, which none ever should.
    /// - Returns: the other.
    @discardableResult
    public func replace(_ member: Member) async throws -> Member {
        let ended = !member.process.isRunning
        member.process.send(signal: SIGKILL)
        let outcome = await member.process.outcome()
        let next: Member
        switch member.role {
        case .coordinator:
            next = try makeCoordinator(member.index)
            coordinators[member.index] = next
        case .worker:
            next = try makeWorker(member.index)
            workers[member.index] = next
        }
        guard !ended else { throw EndedByItself(member: member.name, outcome: outcome) }
        return next
    }

    public struct EndedByItself: Error, CustomStringConvertible {
        let member: String
        let outcome: QuernProcess.Outcome
        public var description: String {
            "\(member) ended by itself with status \(outcome.status): \(outcome.errors.suffix(2000))"
        }
    }

    /// Kills all coordinators with SIGKILL, and starts others in their places.
    public func replaceCoordinators() async throws { for member in coordinators { try await replace(member) } }

    /// Kills one process with SIGKILL, a coordinator in one of four cases, and starts another in its place.
    public func killSomething(using generator: inout some RandomNumberGenerator) async throws -> String {
        let role: Role = Int.random(in: 0...3, using: &generator) == 0 || workers.isEmpty ? .coordinator : .worker
        guard let victim = members.filter({ $0.role == role }).randomElement(using: &generator) else { return "" }
        try await replace(victim)
        return victim.name
    }

    /// Runs a command about jobs against this cluster, until a coordinator is there to answer it.
    public func ask(_ arguments: [String]) async throws -> QuernProcess.Outcome {
        var outcome = try await run(arguments, 0)
        // 3: not reachable, because it was killed a moment ago or is still starting. But not for ever.
        for attempt in 1...600 where outcome.status == 3 {
            try await Task.sleep(for: .milliseconds(50))
            outcome = try await run(arguments, attempt)
        }
        return outcome
    }

    private func run(_ arguments: [String], _ attempt: Int) async throws -> QuernProcess.Outcome {
        try await QuernProcess.run(arguments + ["--coordinator", urls[attempt % urls.count]])
    }

    /// Ends everything in good order.
    public func stop() async -> [QuernProcess.Outcome] {
        for worker in workers { worker.process.send(signal: SIGTERM) }
        var outcomes: [QuernProcess.Outcome] = []
        for worker in workers { outcomes.append(await worker.process.outcome()) }
        for coordinator in coordinators { coordinator.process.send(signal: SIGTERM) }
        for coordinator in coordinators { outcomes.append(await coordinator.process.outcome()) }
        return outcomes
    }
}
