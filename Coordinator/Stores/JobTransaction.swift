import QuernFormats
import QuernJobs

/// The steps that the operations of a job store are made of, inside one transaction.
struct JobTransaction {
    let connection: any SQLConnection
    let dialect: SQLDialect
    let settings: JobStoreSettings

    func now() throws -> Int64 {
        guard let row = try connection.rows("SELECT \(dialect.now)", []).first else {
            throw QuernError(.corrupted, "the job database does not tell the time")
        }
        return try row.integer(0)
    }

    // MARK: Jobs

    /// Locks a job until the transaction ends: whatever changes more than one of its items, or the job itself, does
    /// so first. Nil where there is no such job.
    func lockJob(_ id: JobID) throws -> JobLife? {
        let sql = "SELECT state FROM jobs WHERE id = $1 \(dialect.forUpdate)"
        guard let row = try connection.rows(sql, [.text(id.rawValue)]).first else { return nil }
        return JobLife(id: id, state: try decodeState(try row.text(0)))
    }

    /// Lets `trigger` happen to a locked job.
    /// - Returns: whether anything changed.
    @discardableResult
    func change(_ job: JobLife, _ trigger: JobTrigger) throws -> Bool {
        let mutations = try decide(job, trigger)
        if mutations.contains(.reopen) { try bringBack(job.id) }
        let id = SQLValue.text(job.id.rawValue)
        for mutation in mutations {
            switch mutation {
            case .enter(let state):
                try connection.run("UPDATE jobs SET state = $2 WHERE id = $1", [id, .text(state.rawValue)])
            case .finish(let failure):
                try connection.run(
                    "UPDATE jobs SET finished_at = \(dialect.now), failure = $2 WHERE id = $1",
                    [id, .optional(failure)])
            case .reopen:
                try connection.run("UPDATE jobs SET finished_at = NULL, failure = NULL WHERE id = $1", [id])
            case .cancelItems:
                try cancelItems(of: job.id)
            case .retryItems:
                try retryItems(of: job.id)
            case .rejoinShare:
                try rejoinShare(job.id)
            case .announce(let kind, let message):
                try announce(job.id, kind, nil, message)
            }
        }
        return !mutations.isEmpty
    }

    /// Adds an event to a locked job.
    func announce(_ job: JobID, _ kind: JobEvent.Kind, _ ordinal: Int?, _ message: String) throws {
        let id = SQLValue.text(job.rawValue)
        try connection.run("UPDATE jobs SET last_event = last_event + 1 WHERE id = $1", [id])
        try connection.run(
            """
            INSERT INTO events (job, sequence, time, kind, ordinal, message)
            SELECT id, last_event, \(dialect.now), $2, \(ordinal.map(String.init) ?? "NULL"), $3
            FROM jobs WHERE id = $1
            """, [id, .text(kind.rawValue), .text(message)])
    }

    /// A job that was away starts level with the running job that has had least, so that it neither takes all nor
    /// waits for the others to catch up.
    func rejoinShare(_ job: JobID) throws {
        try connection.run(
            """
            UPDATE job_shares SET virtual_time = coalesce((
                SELECT CASE WHEN min(s.virtual_time) > job_shares.virtual_time
                    THEN min(s.virtual_time) ELSE job_shares.virtual_time END
                FROM job_shares s JOIN jobs j ON j.id = s.job
                WHERE j.state = 'running' AND j.id <> $1), virtual_time)
            WHERE job = $1
            """, [.text(job.rawValue)])
    }

    private func cancelItems(of job: JobID) throws {
        try connection.run(
            """
            WITH locked AS MATERIALIZED (
                SELECT ordinal FROM work_items
                WHERE job = $1 AND state IN ('blocked', 'ready', 'leased') ORDER BY ordinal \(dialect.forUpdate))
            UPDATE work_items SET
                state = 'cancelled', fence = fence + CASE WHEN state = 'leased' THEN 1 ELSE 0 END,
                lease_id = NULL, session = NULL, claimed_at = NULL, deadline_at = NULL
            FROM locked
            WHERE work_items.job = $1 AND work_items.ordinal = locked.ordinal
                AND work_items.state IN ('blocked', 'ready', 'leased')
            """, [.text(job.rawValue)])
        try connection.run(
            """
            UPDATE attempts SET ended_at = \(dialect.now), outcome = 'cancelled', message = ''
            WHERE job = $1 AND ended_at IS NULL
            """, [.text(job.rawValue)])
    }

    private func retryItems(of job: JobID) throws {
        try connection.run(
            """
            WITH locked AS MATERIALIZED (
                SELECT ordinal FROM work_items
                WHERE job = $1 AND state IN ('failed', 'cancelled', 'quarantined')
                ORDER BY ordinal \(dialect.forUpdate))
            UPDATE work_items SET
                state = CASE WHEN dependencies_left = 0 AND fan_in = 0 THEN 'ready' ELSE 'blocked' END,
                lease_id = NULL, failures = 0, losses = 0, interruptions = 0, rewinds = 0, not_before = 0,
                forgiven_attempts = attempts
            FROM locked
            WHERE work_items.job = $1 AND work_items.ordinal = locked.ordinal
                AND work_items.state IN ('failed', 'cancelled', 'quarantined')
            """, [.text(job.rawValue)])
        try readyFanIns(of: job)
    }

    // MARK: Fan-in

    /// Makes those big fan-ins of a locked job ready that have nothing left to wait for.
    /// - Returns: how many.
    @discardableResult
    func readyFanIns(of job: JobID) throws -> Int {
        try connection.run(
            """
            WITH free AS MATERIALIZED (
                SELECT i.ordinal FROM work_items i
                WHERE i.job = $1 AND i.state = 'blocked' AND i.fan_in = 1 AND \(Self.hasNothingToWaitFor)
                ORDER BY i.ordinal \(dialect.forUpdateOfI))
            UPDATE work_items SET state = 'ready' FROM free
            WHERE work_items.job = $1 AND work_items.ordinal = free.ordinal AND work_items.state = 'blocked'
            """, [.text(job.rawValue)])
    }

    /// A condition on the row `i` of work_items.
    static let hasNothingToWaitFor = """
        NOT EXISTS (
            SELECT 1 FROM item_dependencies d JOIN work_items p ON p.job = d.job AND p.ordinal = d.parent
            WHERE d.job = i.job AND d.child = i.ordinal AND p.state <> 'done')
        """

    /// States of items that are neither done nor ready, as a list: an index finds those at once, and not what is
    /// unequal to one.
    private static let unfinished = ItemState.allCases.filter { $0 != .done && $0 != .ready }.map { "'\($0.rawValue)'" }
        .joined(separator: ", ")

    /// The ordinal of an item of a job that is ready, NULL where there is none. It is the one that would be claimed
    /// last: those that were claimed lie at the front of the index, and old versions of theirs may still be there.
    /// - Parameters:
    ///   - job: an SQL expression.
    ///   - condition: what else must be true of the row `r`.
    static func lastReady(of job: String, _ condition: String = "") -> String {
        """
        (SELECT r.ordinal FROM work_items r WHERE r.job = \(job) AND r.state = 'ready' \(condition)
        ORDER BY r.cost, r.ordinal DESC LIMIT 1)
        """
    }

    /// A condition on the row `j` of jobs: all its items are done.
    static let isAllDone = """
        \(lastReady(of: "j.id")) IS NULL
        AND NOT EXISTS (SELECT 1 FROM work_items w WHERE w.job = j.id AND w.state IN (\(unfinished)))
        """

    /// Fan-ins of one job, and its end where everything is done.
    /// - Returns: how many things were settled.
    func settle(_ id: JobID) throws -> Int {
        guard let job = try lockJob(id), !job.state.isFinal else { return 0 }
        let ready = try readyFanIns(of: id)
        let done = try connection.rows(
            "SELECT 1 FROM jobs j WHERE j.id = $1 AND \(Self.isAllDone)", [.text(id.rawValue)])
        guard !done.isEmpty else { return ready }
        return try change(job, .allItemsDone) ? ready + 1 : ready
    }

    func decodeCapability(_ text: String) throws -> Capability {
        guard let capability = Capability(name: text) else {
            throw QuernError(.corrupted, "the job database knows work '\(text)' that this program does not")
        }
        return capability
    }

    func decodeState<State: RawRepresentable<String>>(_ text: String) throws -> State {
        guard let state = State(rawValue: text) else {
            throw QuernError(.corrupted, "the job database knows a state '\(text)' that this program does not")
        }
        return state
    }
}
