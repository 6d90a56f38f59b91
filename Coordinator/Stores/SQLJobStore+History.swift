import QuernFormats
import QuernJobs

/// Rows of jobs that have ended, which claims, vacuum and indices need not drag along.
///
/// A job moves in batches, and lies in both places while it does: what users ask is answered from views over both. Its
/// payloads and results stay where they are. They are written once and found by their keys, so that others do not get
/// slower by them, and whoever collects blobs goes on finding what they name.
///
/// Why nothing that happens meanwhile is lost:
/// - A job that has ended has no item that could be claimed or reaped, and one that holds something does not begin to
///   move. A claim that saw the job running ended long before it had been over for the age; no statement may take two
///   minutes.
/// - What may still change an item is a late completion, of a lease that the reaper took in a job that failed. The
///   first batch takes all such items: from then on the rows that have not moved yet answer late calls, by `decide`,
///   with no change. Who waits for the lock of a row finds it gone then.
/// - Whoever does not find an item, and whoever opens the job again, brings all of the job back first, in the same
///   transaction (`bringBack`).
/// - Every batch, and who brings back, locks the job, so that they come one after the other.
/// - A coordinator from before history knows nothing of all that. As long as one is heard of, and for the same age
///   after that, nothing begins to move. One that nobody hears, because no worker calls it, shows nothing of such jobs
///   and cannot open them: the database forbids that.
extension SQLJobStore {
    public func moveToHistory(endedFor age: Duration, limit: Int) async throws -> Int? {
        try await write { try $0.moveToHistory(endedFor: age, limit: max(limit, 1)) }
    }
}

/// A table with rows of items, and where they go.
private struct MovingTable {
    let name: String
    /// The column that names the item.
    let ordinal: String
    let columns: String

    static let all = [
        MovingTable(
            name: "work_items", ordinal: "ordinal",
            columns: """
                job, ordinal, stage, state, cost, memory, fan_in, dependencies_left, not_before, fence, lease_id,
                attempts, failures, losses, interruptions, rewinds, forgiven_attempts, result_digest, last_error
                """),
        MovingTable(name: "item_dependencies", ordinal: "child", columns: "job, child, parent"),
        MovingTable(
            name: "attempts", ordinal: "ordinal",
            columns: """
                job, ordinal, attempt, lease_id, fence, session, node, started_at, ended_at, outcome, message
                """),
    ]
}

extension JobTransaction {
    /// Brings the rows of a job back to where work goes on, and locks it.
    /// - Returns: whether some were in history.
    @discardableResult
    func bringBack(_ job: JobID) throws -> Bool {
        let id = SQLValue.text(job.rawValue)
        let found = try connection.rows("SELECT history FROM jobs WHERE id = $1 \(dialect.forUpdate)", [id])
        guard let history = try found.first?.int(0), history > 0 else { return false }
        for table in MovingTable.all {
            try connection.run(
                """
                INSERT INTO \(table.name) (\(table.columns))
                SELECT \(table.columns) FROM \(table.name)_history WHERE job = $1
                """, [id])
            try connection.run("DELETE FROM \(table.name)_history WHERE job = $1", [id])
        }
        try connection.run("UPDATE jobs SET history = 0 WHERE id = $1", [id])
        return true
    }

    fileprivate func moveToHistory(endedFor age: Duration, limit: Int) throws -> Int? {
        // Jobs that others are busy with, and those in which somebody still works, are left for later.
        let next = try connection.rows(
            """
            SELECT j.id, j.history FROM jobs j
            WHERE j.finished_at <= \(dialect.now) - $1 AND j.history < 2
                AND NOT EXISTS (SELECT 1 FROM work_items w WHERE w.job = j.id AND w.state = 'leased')
            ORDER BY j.finished_at, j.id LIMIT 1 \(dialect.forUpdateSkipLocked)
            """, [.integer(age.milliseconds)]
        ).first
        guard let next else {
            _ = try isWithoutOlderCoordinators(for: age)
            return nil
        }
        let job = JobID(rawValue: try next.text(0))
        var moved = 0
        if try next.int(1) == 0 {
            guard try isWithoutOlderCoordinators(for: age), let begun = try beginMoving(job) else { return nil }
            moved = begun
        }
        let ordinals = try connection.rows(
            "SELECT ordinal FROM work_items WHERE job = $1 ORDER BY ordinal LIMIT $2",
            [.text(job.rawValue), .integer(limit)])
        if let last = try ordinals.last?.int(0) {
            try move("<= \(last)", of: job)
            moved += ordinals.count
        }
        if ordinals.count < limit { try setHistory(of: job, to: 2) }
        return moved
    }

    /// Takes what late completions may still change.
    /// - Returns: how many items that were; nil where somebody holds one after all.
    private func beginMoving(_ job: JobID) throws -> Int? {
        let alive = try connection.rows(
            """
            SELECT ordinal, state FROM work_items
            WHERE job = $1 AND (state = 'leased' OR state IN ('blocked', 'ready') AND lease_id IS NOT NULL)
            ORDER BY ordinal \(dialect.forUpdate)
            """, [.text(job.rawValue)]
        ).map { (ordinal: try $0.int(0), state: try $0.text(1)) }
        guard !alive.contains(where: { $0.state == ItemState.leased.rawValue }) else { return nil }
        try setHistory(of: job, to: 1)
        if !alive.isEmpty { try move("IN (\(alive.map { String($0.ordinal) }.joined(separator: ", ")))", of: job) }
        return alive.count
    }

    private func move(_ ordinals: String, of job: JobID) throws {
        for table in MovingTable.all {
            let condition = "job = $1 AND \(table.ordinal) \(ordinals)"
            try connection.run(
                """
                INSERT INTO \(table.name)_history (\(table.columns))
                SELECT \(table.columns) FROM \(table.name) WHERE \(condition)
                """, [.text(job.rawValue)])
            try connection.run("DELETE FROM \(table.name) WHERE \(condition)", [.text(job.rawValue)])
        }
    }

    private func setHistory(of job: JobID, to step: Int) throws {
        try connection.run(
            "UPDATE jobs SET history = $2 WHERE id = $1", [.text(job.rawValue), .integer(step)])
    }

    /// Whether no coordinator has been heard of for `age` that does not know of history. A session that such a one
    /// hears last, of its own assembler if of nobody else, is extended without a word in `heard_until`. Somebody must
    /// look now and then, for all that is known of the time before is when one was last found.
    private func isWithoutOlderCoordinators(for age: Duration) throws -> Bool {
        let present = try connection.rows(
            "SELECT 1 FROM sessions WHERE ended_at IS NULL AND expires_at <> heard_until LIMIT 1", [])
        try connection.run(
            """
            INSERT INTO older_coordinators (name, heard_at) VALUES ('any', \(dialect.now))
            ON CONFLICT (name) DO \(present.isEmpty ? "NOTHING" : "UPDATE SET heard_at = excluded.heard_at")
            """, [])
        let quiet = try connection.rows(
            "SELECT 1 FROM older_coordinators WHERE heard_at <= \(dialect.now) - $1", [.integer(age.milliseconds)])
        return present.isEmpty && !quiet.isEmpty
    }
}
