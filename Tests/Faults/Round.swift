import Foundation
import QuernFormats
import TestSupport

/// A fresh cluster that does jobs while something is done to it, and that is looked over in the end.
struct Round {
    let campaign: Campaign
    let number: Int
    let expected: Expected
    /// Whether results may be lost, so that items are done more than once.
    var losesBlobs = false
    /// Whether calls of coordinators to the operating system fail from beginning to end. Then one may end when it
    /// starts, and is started again as a service manager would, and a download may have to be repeated.
    var callsFail = false
    /// Of the jobs, in the order in which they are submitted.
    var kinds: [SampleJob]

    private var journal: Journal { campaign.journal }

    /// - Parameters:
    ///   - configure: changes what the cluster is made of, and by which URL or path its database is looked at.
    ///   - disturb: does the harm; the jobs need not be done when it returns.
    func run(
        configure: (inout Cluster.Settings, _ lookedAt: inout String) async throws -> Void = { _, _ in },
        disturb: (Scene) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let isFile = campaign.options.store == .sqlite
        var settings = try Cluster.Settings(
            database: isFile ? folder.path("jobs.sqlite") : try await PostgreSQLServer.shared.freshDatabaseURL(),
            root: folder.path("store"), coordinators: isFile ? 1 : 3)
        settings.sessionExpiry = 1
        // So soon that jobs move while others are disturbed.
        settings.coordinatorOptions = ["--history-age", "1"]
        settings.logs = folder.path("logs")
        var lookedAt = settings.database
        try await configure(&settings, &lookedAt)
        for kind in kinds { _ = try await expected.files(of: kind) }
        let violations = journal.violations
        let cluster = try Cluster(settings)
        let manager = Task { [callsFail] in if callsFail { try await startAgain(cluster) } }
        defer { manager.cancel() }
        try await cluster.start(workers: campaign.options.workers)
        let scene = Scene(
            cluster: cluster, database: JobDatabase(lookedAt), folder: folder, store: settings.root, journal: journal)
        for kind in kinds { try await scene.submit(kind) }
        journal.line("round \(number): \(kinds.map(\.rawValue).joined(separator: ", "))")
        do {
            try await disturb(scene)
            try await scene.finish()
            try await download(scene)
        } catch {
            journal.violation("round \(number): \(error)")
        }
        manager.cancel()
        for outcome in await cluster.stop() where outcome.status != 0 {
            journal.violation(
                "round \(number): a process ended with status \(outcome.status): \(outcome.errors.suffix(500))")
        }
        if journal.violations == violations {
            try await Audit(scene: scene, losesBlobs: losesBlobs).run()
            journal.count("jobs", scene.jobs.all.count)
        }
        if journal.violations > violations, campaign.options.keep {
            let kept = "\(folder.path)-kept"
            try FileManager.default.copyItem(atPath: folder.path, toPath: kept)
            journal.line("kept \(kept)")
        }
    }

    /// Starts coordinators again that have ended, until it is cancelled.
    private func startAgain(_ cluster: Cluster) async throws {
        while true {
            try await Task.sleep(for: .milliseconds(200))
            for member in await cluster.members where member.role == .coordinator && !member.process.isRunning {
                do { try await cluster.replace(member) } catch is Cluster.EndedByItself {
                    journal.count("coordinators started again")
                }
            }
        }
    }

    /// Fetches what was made, as users do, and holds it against what an undisturbed run makes.
    private func download(_ scene: Scene) async throws {
        for (id, kind) in scene.jobs.all {
            let output = scene.folder.path("downloaded/\(id)")
            var outcome = try await scene.cluster.ask(["download", id, "--output", output])
            for _ in 0..<(callsFail ? 10 : 0) where outcome.status != 0 {
                journal.count("downloads that failed")
                outcome = try await scene.cluster.ask(["download", id, "--output", output])
            }
            guard outcome.status == 0 else { throw QuernError(.internalFault, outcome.errors, at: "download") }
            try await expected.compare(FolderDigests.of(output), of: id, kind, journal)
        }
    }
}
