import Foundation
import QuernFormats
import Synchronization
import TestSupport

/// Jobs that were submitted, by id.
final class JobList: Sendable {
    private let state = Mutex((jobs: [String: SampleJob](), keys: 0))

    var all: [String: SampleJob] { state.withLock { $0.jobs } }

    func add(_ id: String, _ kind: SampleJob) { state.withLock { $0.jobs[id] = kind } }

    func remove(_ id: String) { state.withLock { $0.jobs[id] = nil } }

    /// A new idempotency key: who hears no answer submits again.
    func nextKey() -> Int {
        state.withLock { state in
            state.keys += 1
            return state.keys
        }
    }
}

/// A cluster with jobs in flight.
struct Scene: Sendable {
    let cluster: Cluster
    let database: JobDatabase
    /// For logs and downloads.
    let folder: TemporaryFolder
    /// Folder of blobs and artifacts.
    let store: String
    let jobs = JobList()
    let journal: Journal

    func submit(_ kind: SampleJob) async throws {
        let outcome = try await cluster.ask(
            ["submit", Fixtures.sample, "--idempotency-key", "\(jobs.nextKey())"] + kind.arguments)
        guard outcome.status == 0 else { throw QuernError(.internalFault, outcome.errors, at: "submit") }
        jobs.add(outcome.output.trimmingCharacters(in: .whitespacesAndNewlines), kind)
    }

    /// An item that somebody works on.
    struct Held: Sendable {
        let job: String
        let ordinal: Int
        let stage: String
        let session: String
        let losses: Int
        let fence: Int
    }

    func held() async throws -> [Held] {
        try await database.rows(
            "SELECT job, ordinal, stage, session, losses, fence FROM work_items WHERE state = 'leased'"
        ).map {
            Held(
                job: $0[0].string, ordinal: $0[1].number, stage: $0[2].string, session: $0[3].string,
                losses: $0[4].number, fence: $0[5].number)
        }
    }

    /// Whether jobs are still running.
    /// - Throws: where one has failed.
    func isRunning() async throws -> Bool {
        let jobs = try await database.rows("SELECT id, state, failure FROM jobs")
        for job in jobs where !["running", "done"].contains(job[1].string) {
            throw QuernError(.conflict, "the job is \(job[1].string): \(job[2].string)", at: job[0].string)
        }
        return jobs.contains { $0[1].string == "running" }
    }

    /// - Throws: where a process has ended by itself.
    func checkAlive() async throws {
        for member in await cluster.members where !member.process.isRunning {
            throw QuernError(
                .internalFault, "ended by itself: \(member.process.errorsSoFar.suffix(1500))", at: member.name)
        }
    }

    /// How many items are done.
    func itemsDone() async throws -> Int {
        try await database.rows("SELECT count(*) FROM item_results").first?[0].number ?? 0
    }

    /// Returns once all jobs are done.
    /// - Throws: where nothing gets done for `patience`.
    func finish(patience: Duration = .seconds(90)) async throws {
        var last = (done: -1, at: ContinuousClock.now)
        while try await isRunning() {
            let done = try await itemsDone()
            if done != last.done { last = (done, .now) }
            guard ContinuousClock.now - last.at < patience else {
                let waiting = try await database.rows(
                    "SELECT job, ordinal, stage, state, not_before, last_error FROM work_items WHERE state <> 'done'")
                throw QuernError(.unavailable, "nothing gets done any more: \(waiting.prefix(5))")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

extension Cluster.Member {
    /// The sessions that the process has opened, as its log names them: two for a coordinator, which assembles and
    /// evaluates.
    var sessions: Set<String> {
        Set(process.errorsSoFar.matches(of: /session ([0-9a-f-]{36})/).map { String($0.1) })
    }
}
