import ArgumentParser
import Foundation
import QuernFormats
import Synchronization
import TestSupport

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Stop workers that hold items for longer than their leases, and let them go on.",
        discussion: """
            Example: quern-faults pause --count 200 --store postgres

            A worker is stopped when it hands in a result or stores the blobs of one, and goes on when others have \
            claimed all that it held. What it then hands in must be refused, and counted by the coordinators.
            """)

    @OptionGroup var options: FaultOptions

    func run() async throws {
        let campaign = try Campaign("pause", options, count: 20)
        let expected = Expected()
        try await campaign.run { number, generator in
            var generator = generator
            let kinds = campaign.kinds.shuffled(using: &generator)
            let line = Line(workers: campaign.options.workers)
            try await Round(campaign: campaign, number: number, expected: expected, kinds: kinds).run { settings, _ in
                try await line.lay(to: &settings)
            } disturb: { scene in
                // Half of the workers are never stopped, so that there is always one to take the items.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for worker in 0..<max(1, campaign.options.workers / 2) {
                        var pauser = Pauser(
                            worker: worker, scene: scene, campaign: campaign, line: line,
                            generator: SeededGenerator(seed: generator.next()))
                        group.addTask {
                            while try await scene.isRunning(), campaign.goesOn { try await pauser.pause() }
                        }
                    }
                    try await group.waitForAll()
                }
                try await scene.finish()
                try await line.compare(scene)
            }
        }
    }
}

/// The relays before the coordinators, one for each worker, and what passed them.
final class Line: Sendable {
    struct Answer: Sendable {
        let lease: String
        let isCompletion: Bool
        let status: UInt
    }
    private struct State {
        var relays: [HTTPRelay] = []
        var answers: [Answer] = []
        var reclaimed: Set<String> = []
    }
    let traps: [Trap]
    private let state = Mutex(State())

    init(workers: Int) { traps = (0..<workers).map { _ in Trap() } }

    func lay(to settings: inout Cluster.Settings) async throws {
        let coordinators = settings.urls
        var relays: [HTTPRelay] = []
        for (index, trap) in traps.enumerated() {
            relays.append(
                try await HTTPRelay(to: coordinators[index % coordinators.count]) { request in
                    await trap.pass(request)
                    return .once
                } observer: { [self] request, status in
                    guard let lease = request.lease else { return }
                    let answer = Answer(lease: lease, isCompletion: request.isCompletion, status: status)
                    state.withLock { $0.answers.append(answer) }
                })
        }
        settings.workerURLs = relays.map(\.url)
        state.withLock { $0.relays = relays }
    }

    /// Notes leases whose items others have claimed.
    func note(reclaimed leases: [String]) { state.withLock { $0.reclaimed.formUnion(leases) } }

    /// Holds what the relays saw against what coordinators and workers say of it.
    func compare(_ scene: Scene) async throws {
        // Late answers may still be on their way when the last item is done.
        try await Task.sleep(for: .seconds(1))
        let (answers, reclaimed) = state.withLock { ($0.answers, $0.reclaimed) }
        let late = answers.filter { $0.isCompletion && reclaimed.contains($0.lease) }
        let conflicts = answers.filter { $0.status == 409 }
        let counted = try await Metrics.sum("lease_conflicts_total", of: scene.cluster.urls)
        let logs = try FileManager.default.contentsOfDirectory(atPath: scene.folder.path("logs"))
            .filter { $0.hasPrefix("worker") }
            .map { try String(contentsOfFile: scene.folder.path("logs/\($0)"), encoding: .utf8) }
        let said = logs.reduce(0) {
            $0 + $1.matches(of: /] item \d+ of job \w+: [^\n]*the lease no longer holds/).count
        }
        let completions = conflicts.count(where: \.isCompletion)
        let journal = scene.journal
        journal.count("late completions tried", late.count)
        journal.count("  refused", late.count { $0.status == 409 })
        journal.count("refusals in workers' logs", said)
        journal.count("refusals of late releases and failures", conflicts.count - completions)
        journal.count("conflicts that coordinators counted", counted)
        for answer in late where answer.status != 409 {
            journal.violation("the late completion of lease \(answer.lease) was answered with \(answer.status)")
        }
        if said != completions { journal.violation("workers' logs tell of \(said) refusals, of \(completions)") }
        if counted != conflicts.count {
            journal.violation("coordinators count \(counted) conflicts, of \(conflicts.count)")
        }
    }
}

/// Stops one worker again and again.
struct Pauser: Sendable {
    let worker: Int
    let scene: Scene
    let campaign: Campaign
    let line: Line
    var generator: SeededGenerator

    mutating func pause() async throws {
        let trap = line.traps[worker]
        let atUpload = Bool.random(using: &generator)
        let skipped = Int.random(in: 0..<6, using: &generator)
        try await Task.sleep(for: .milliseconds(20 * skipped))
        let caught = await trap.next(within: .seconds(3)) { atUpload ? $0.isUpload : $0.isCompletion }
        defer { trap.release() }
        guard let caught,
            let member = await scene.cluster.members.first(where: { $0.role == .worker && $0.index == worker })
        else { return }
        member.process.send(signal: SIGSTOP)
        defer { member.process.send(signal: SIGCONT) }
        let sessions = member.sessions
        let held = try await scene.held().filter { sessions.contains($0.session) }
        let begun = ContinuousClock.now
        guard !held.isEmpty, let leases = try await reclaimed(held) else { return }
        line.note(reclaimed: leases)
        campaign.fault(
            atUpload ? "while it stored a blob" : "while it handed in a result",
            "pause \(member.name) (pid \(member.process.identifier)) for \(ContinuousClock.now - begun), at \(caught.method) \(caught.path); "
                + "\(held.count) items were claimed by others")
    }

    /// Waits until all of `held` were claimed by others, or done by them.
    /// - Returns: their leases; nil where that takes too long.
    private func reclaimed(_ held: [Scene.Held]) async throws -> [String]? {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(50))
            let rows = try await scene.database.rows(
                """
                SELECT a.job, a.ordinal, a.fence, a.lease_id, w.fence, a.outcome FROM all_attempts a
                JOIN all_work_items w ON w.job = a.job AND w.ordinal = a.ordinal WHERE a.outcome IN ('lost', 'done')
                """)
            let ends = held.compactMap { item in
                rows.first {
                    $0[0].string == item.job && $0[1].number == item.ordinal && $0[2].number == item.fence
                        // One more for the loss, one more for the claim. Or it was handed in before the worker stopped.
                        && ($0[4].number >= item.fence + 2 || $0[5].string == "done")
                }
            }
            let leases = ends.filter { $0[5].string == "lost" }.map { $0[3].string }
            if ends.count == held.count { return leases.isEmpty ? nil : leases }
        }
        return nil
    }
}
