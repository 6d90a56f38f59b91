import Foundation
import Logging
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import QuernWorker

/// A job from submission to manifest inside this process.
struct LocalRun: Sendable {
    let recipe: Recipe
    /// Folder for the artifacts.
    let output: String
    /// Folder of the database and the blobs.
    let state: String
    /// False where the state only serves to go on after an interruption.
    let keepsState: Bool
    let slots: Int
    /// Bytes for work in progress.
    let memory: Int64
    /// What encodes blocks, and computes forward passes.
    let engine: any ComputeEngine
    let progress: ProgressBar.Style
    /// Takes what is wanted from the results of a finished job, before the state goes.
    var collect: (@Sendable (JobRecord, any JobStore, any BlobStore) async throws -> Void)?

    /// - Returns: the finished job.
    /// - Throws: `QuernError`; `.cancelled` where a signal interrupted it.
    func finish() async throws -> JobRecord {
        guard slots > 0 else { throw QuernError(.usage, "must be at least 1", at: "--workers") }
        let (recipe, key) = try await OwnThread.run { [recipe] in
            let recipe = try recipe.pinned()
            return (recipe, try JobFingerprint.of(recipe))
        }
        let made = try createFolder(output) + createFolder(state)
        let logger = Logger(label: "quern") { _ in SwiftLogNoOpLogHandler() }
        let store = try SQLiteJobStore(
            path: state + "/quern.sqlite", settings: JobStoreSettings(retry: RetryPolicy(awaitsSpace: false)))
        try await store.migrate()
        // The lock on the store is ours, so whoever held leases is dead: what a killed run held is free at once.
        try await store.closeAllSessions()
        // State that goes when the job is done is spared what only pays in the long run: a blob that a crash of the
        // machine takes is found missing and made again. The lock on the job store says that nobody else writes here.
        let blobs = try FolderBlobStore(
            root: state + "/blobs", compress: keepsState, durability: keepsState ? .machine : .process,
            staleAfter: keepsState ? 24 * 3600 : 0)
        let folder = ArtifactFolder(root: output)
        folder.removePartials()
        let coordinator = Coordinator(
            store: store, blobs: blobs, artifacts: .shared(folder: output), settings: .inProcess,
            planner: planForThisMachine, logger: logger)
        let record: JobRecord
        do {
            record = try await Interruption.watched {
                try await withThrowingTaskGroup(of: JobRecord?.self) { group in
                    defer { group.cancelAll() }
                    group.addTask {
                        try await coordinator.run()
                        return nil
                    }
                    try await setAside(.of(idempotencyKey: key), in: coordinator, folder)
                    let submitted = try await submit(recipe, key, to: coordinator)
                    if submitted.state == .done { return submitted }
                    var configuration = WorkerConfiguration(
                        node: ProcessInfo.processInfo.hostName, slots: slots, memory: memory,
                        parts: keepsState ? .shared : .inPlace, waitsOutFaults: false)
                    configuration.engine = engine
                    let worker = Worker(
                        service: coordinator, blobs: blobs, artifacts: { _ in folder }, configuration: configuration,
                        logger: logger)
                    group.addTask {
                        try await worker.run()
                        return nil
                    }
                    group.addTask { try await follow(submitted.id, in: coordinator) }
                    // A worker that ends by itself has failed, and nobody would do the rest.
                    while let ended = try await group.next() {
                        if let record = ended { return record }
                    }
                    throw QuernError(.internalFault, "the job was left alone", at: submitted.id.description)
                }
            }
        } catch {
            if let jobs = try? await store.jobs(limit: 1), jobs.isEmpty { remove(made) }
            throw error
        }
        guard record.state == .done else {
            throw QuernError(
                record.state == .cancelled ? .cancelled : .invalidInput,
                record.failure ?? "the job ended as \(record.state.rawValue)")
        }
        try await collect?(record, store, blobs)
        if !keepsState {
            // A part that was made twice may have begun a file again that was whole already.
            folder.removePartials(owner: record.id.rawValue)
            // A run killed while it wrote these began them under marks of their own.
            folder.removePartials(
                of: [Manifest.fileName, Report.fileName, JobResults.fileName, SensitivityFile.fileName])
            try? FileManager.default.removeItem(atPath: state)
        }
        return record
    }

    /// Stops what interrupted runs with other arguments left in the state: this run's worker must not go on with it,
    /// for both would write into one folder.
    private func setAside(_ own: JobID, in coordinator: Coordinator, _ folder: ArtifactFolder) async throws {
        for job in try await coordinator.jobs(limit: 1000) where job.id != own {
            if !keepsState { folder.removePartials(owner: job.id.rawValue) }
            if job.state == .running { _ = try await coordinator.control(job.id, keepsState ? .pause : .cancel) }
        }
    }

    /// The job that an earlier run of the same arguments left, or a new one.
    private func submit(_ recipe: Recipe, _ key: String, to coordinator: Coordinator) async throws -> JobRecord {
        let record = try await coordinator.submit(Submission(recipe: recipe, idempotencyKey: key))
        switch record.state {
        case .running: return record
        case .paused: return try await coordinator.control(record.id, .resume)
        case .failed, .cancelled: return try await coordinator.control(record.id, .retry)
        case .done:
            if try await isWhole(record, in: coordinator) { return record }
            // The folder is another, or was emptied since: a new job takes what is cached.
            return try await coordinator.submit(Submission(recipe: recipe))
        }
    }

    /// Whether the output folder holds all that a finished job has made.
    private func isWhole(_ record: JobRecord, in coordinator: Coordinator) async throws -> Bool {
        let manifest = try await coordinator.artifacts(of: record.id).first { $0.name == Manifest.fileName }
        guard let manifest, let bytes = FileManager.default.contents(atPath: "\(output)/\(manifest.name)"),
            Digest(of: [UInt8](bytes)) == manifest.sha256
        else { return false }
        return try Verifier.verify(folder: output).passed
    }

    private func follow(_ id: JobID, in coordinator: Coordinator) async throws -> JobRecord {
        let bar = ProgressBar(progress)
        defer { bar.finish() }
        while true {
            let (seen, done) = (coordinator.news, coordinator.jobsDone)
            let record = try await coordinator.job(id)
            if record.state.isFinal { return record }
            try bar.show(record)
            // Counting a job's items costs more than a glance: not after every single one of thousands.
            await coordinator.waitForJobDone(after: done, upTo: .milliseconds(20))
            try Task.checkCancellation()
            await coordinator.waitForNews(after: seen, upTo: .milliseconds(200))
        }
    }

    /// Plans, and refuses what would never get the memory or the library it needs.
    @Sendable private func planForThisMachine(_ recipe: Recipe, costs: SensitivityFile?) throws -> Plan {
        let plan = try Coordinator.plan(recipe, costs: costs)
        if plan.items.contains(where: { $0.payload.stage.computesOnModels }),
            let obstacle = engine.forwardObstacle(on: recipe.forward ?? .cpu)
        {
            throw obstacle
        }
        guard plan.peakMemory <= memory else {
            throw QuernError(
                .usage, "a single work item needs \(Console.size(plan.peakMemory)) of memory", at: "--memory",
                remedy: "Allow at least that much")
        }
        // What is planned with costs was warned of when it was planned without.
        if plan.refusals.isEmpty, costs == nil {
            for warning in plan.warnings { Console.error("quern: warning: \(warning)") }
        }
        return plan
    }

    /// - Returns: the folders that were not there before, outermost first.
    private func createFolder(_ path: String) throws -> [String] {
        var missing: [String] = []
        var folder = URL(fileURLWithPath: path)
        while folder.path != "/", !FileManager.default.fileExists(atPath: folder.path) {
            missing.insert(folder.path, at: 0)
            folder.deleteLastPathComponent()
        }
        for folder in missing where mkdir(folder, 0o777) != 0 && errno != EEXIST { throw cannotWrite(folder, errno) }
        var status = stat()
        guard stat(path, &status) == 0 else { throw cannotWrite(path, errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw cannotWrite(path, ENOTDIR) }
        return missing
    }

    private func cannotWrite(_ path: String, _ number: Int32) -> QuernError {
        QuernError(
            number == ENOSPC ? .outOfSpace : .io, "cannot create the folder: \(String(cString: strerror(number)))",
            at: path, remedy: "Choose a folder that you may write to")
    }

    /// Leaves nothing of a job that was not even accepted: only what this run made, and folders only where empty.
    private func remove(_ made: [String]) {
        if !keepsState, made.contains(state) { try? FileManager.default.removeItem(atPath: state) }
        for folder in made.reversed() { rmdir(folder) }
    }
}
