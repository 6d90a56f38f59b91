import QuernFormats
import QuernJobs

/// A work item as its row has it.
struct ItemRow {
    var life: ItemLife
    let capability: Capability
    /// Whether the resolver makes it ready, so that its count of dependencies is not kept in the row.
    let isFanIn: Bool
    let session: SessionID?
    let forgivenAttempts: Int
    let now: Int64
}

extension JobTransaction {
    /// Locks an item and reads it; one that is in history comes back with its job, so that it can be changed.
    func load(_ id: WorkItemID) throws -> ItemRow? {
        if let row = try loadPresent(id) { return row }
        return try bringBack(id.job) ? try loadPresent(id) : nil
    }

    private func loadPresent(_ id: WorkItemID) throws -> ItemRow? {
        let row = try connection.rows(
            """
            SELECT i.state, i.dependencies_left, i.fan_in, i.fence, i.lease_id, i.attempts, i.failures, i.losses,
                i.interruptions, i.rewinds, i.memory, i.not_before, i.result_digest, i.last_error, i.stage, i.session,
                i.forgiven_attempts, p.label, \(dialect.now)
            FROM work_items i JOIN item_payloads p ON p.job = i.job AND p.ordinal = i.ordinal
            WHERE i.job = $1 AND i.ordinal = $2 \(dialect.forUpdateOfI)
            """, id.parameters
        ).first
        guard let row else { return nil }
        let life = ItemLife(
            id: id, label: try row.text(17), state: try decodeState(try row.text(0)),
            dependenciesLeft: try row.int(1), fence: try row.integer(3), leaseID: try row.optionalText(4),
            attempts: try row.int(5), failures: try row.int(6), losses: try row.int(7),
            interruptions: try row.int(8), rewinds: try row.int(9), memory: try row.integer(10),
            notBefore: try row.integer(11), resultDigest: try row.optionalText(12),
            lastError: try row.optionalText(13))
        return ItemRow(
            life: life, capability: try decodeCapability(try row.text(14)), isFanIn: try row.int(2) == 1,
            session: try row.optionalText(15).map(SessionID.init(rawValue:)), forgivenAttempts: try row.int(16),
            now: try row.integer(18))
    }

    /// As `load`, with what a decision needs that may end with the item open again or blamed for something: the
    /// dependencies a fan-in still has, and earlier setbacks. Separate statements, so that they see what was
    /// committed while the lock was waited for.
    func loadInFull(_ id: WorkItemID) throws -> ItemRow? {
        guard var row = try load(id) else { return nil }
        if row.isFanIn {
            let left = try connection.rows(
                """
                SELECT count(*) FROM item_dependencies d
                JOIN work_items p ON p.job = d.job AND p.ordinal = d.parent
                WHERE d.job = $1 AND d.child = $2 AND p.state <> 'done'
                """, id.parameters)
            row.life.dependenciesLeft = try left.first?.int(0) ?? 0
        }
        row.life.setbacks = try connection.rows(
            """
            SELECT node, outcome, message FROM attempts
            WHERE job = $1 AND ordinal = $2 AND attempt > $3 AND outcome IN ('failed', 'lost') ORDER BY attempt
            """, id.parameters + [.integer(row.forgivenAttempts)]
        ).map {
            Setback(node: try $0.text(0), outcome: try decodeState(try $0.text(1)), message: try $0.text(2))
        }
        return row
    }

    func payloads(of items: [WorkItemID]) throws -> [WorkItemID: String] {
        var payloads: [WorkItemID: String] = [:]
        for (job, items) in Dictionary(grouping: items, by: \.job) {
            let rows = try connection.rows(
                """
                SELECT ordinal, payload FROM item_payloads
                WHERE job = $1 AND ordinal IN (\(placeholders(items.count, from: 2)))
                """, [.text(job.rawValue)] + items.map { .integer($0.ordinal) })
            for row in rows { payloads[WorkItemID(job: job, ordinal: try row.int(0))] = try row.text(1) }
        }
        return payloads
    }

    /// Results of what items depend on, in order of ordinal.
    /// - Parameter dependencies: where these are looked for.
    func inputs(
        of items: [WorkItemID], by dependencies: String = "item_dependencies"
    ) throws -> [WorkItemID: [(ordinal: Int, result: String)]] {
        var inputs: [WorkItemID: [(ordinal: Int, result: String)]] = [:]
        for (job, items) in Dictionary(grouping: items, by: \.job) {
            let rows = try connection.rows(
                """
                SELECT d.child, d.parent, r.result FROM \(dependencies) d
                JOIN item_results r ON r.job = d.job AND r.ordinal = d.parent
                WHERE d.job = $1 AND d.child IN (\(placeholders(items.count, from: 2))) ORDER BY d.child, d.parent
                """, [.text(job.rawValue)] + items.map { .integer($0.ordinal) })
            for row in rows {
                inputs[WorkItemID(job: job, ordinal: try row.int(0)), default: []].append(
                    (try row.int(1), try row.text(2)))
            }
        }
        return inputs
    }

    /// Writes what `mutations` make of an item, and lets follow what follows. Of these, `.failJob` and `.announce`
    /// need the job locked; `.rewindMakers` and `.rewindDependents` are the callers' to do.
    func save(_ row: ItemRow, _ mutations: [ItemMutation]) throws {
        let life = row.life.applying(mutations)
        try write(life, over: row, forgiven: mutations.contains(.forgive))
        let id = life.id
        for mutation in mutations {
            switch mutation {
            case .closeAttempt(let outcome, let message):
                try closeAttempt(of: row.life, outcome, message)
            case .dropResult:
                try connection.run("DELETE FROM item_results WHERE job = $1 AND ordinal = $2", id.parameters)
            case .countDownDependents:
                try countDependents(of: id, by: -1, from: .blocked, to: .ready, whenLeft: 1)
            case .countUpDependents:
                try countDependents(of: id, by: 1, from: .ready, to: .blocked, whenLeft: nil)
            case .suspect(let node):
                try connection.run(
                    """
                    INSERT INTO node_failures (node, job, ordinal, failed_at) VALUES ($1, $2, $3, \(dialect.now))
                    ON CONFLICT (node, job, ordinal) DO UPDATE SET failed_at = excluded.failed_at
                    """, [.text(node)] + id.parameters)
            case .failJob(let reason):
                if let job = try lockJob(id.job) { try change(job, .itemGivenUp(reason)) }
            case .announce(let kind, let message):
                try announce(id.job, kind, id.ordinal, message)
            case .enter, .raiseFence, .holdLease, .forgetLease, .keepResult, .changeDependencies, .count, .forgive,
                .require, .rest, .note, .rewindMakers, .rewindDependents:
                break
            }
        }
    }

    private func write(_ life: ItemLife, over row: ItemRow, forgiven: Bool) throws {
        let ended = life.state == .leased ? "" : "session = NULL, claimed_at = NULL, deadline_at = NULL,"
        try connection.run(
            """
            UPDATE work_items SET \(ended)
                state = $3, fence = $4, lease_id = $5, attempts = $6, failures = $7, losses = $8,
                interruptions = $9, rewinds = $10, memory = $11, not_before = $12, result_digest = $13,
                last_error = $14, forgiven_attempts = $15
            WHERE job = $1 AND ordinal = $2
            """,
            life.id.parameters + [
                .text(life.state.rawValue), .integer(life.fence), .optional(life.leaseID), .integer(life.attempts),
                .integer(life.failures), .integer(life.losses), .integer(life.interruptions),
                .integer(life.rewinds), .integer(life.memory), .integer(life.notBefore),
                .optional(life.resultDigest), .optional(life.lastError),
                .integer(forgiven ? life.attempts : row.forgivenAttempts),
            ])
    }

    /// Ends the attempt of the lease that `life` names. A node on which something gets done is not suspicious.
    private func closeAttempt(of life: ItemLife, _ outcome: AttemptOutcome, _ message: String) throws {
        guard let lease = life.leaseID else { return }
        let node = try connection.rows(
            """
            UPDATE attempts SET ended_at = \(dialect.now), outcome = $4, message = $5
            WHERE job = $1 AND ordinal = $2 AND attempt = $6 AND lease_id = $3 RETURNING node
            """,
            life.id.parameters
                + [.text(lease), .text(outcome.rawValue), .text(message), .integer(life.attempts)]
        ).first
        if outcome == .done, let node {
            try connection.run("DELETE FROM node_failures WHERE node = $1", [.text(try node.text(0))])
        }
    }

    /// Changes the count of those dependents that count, in order of ordinal, and moves them from one state to
    /// another, all of them or those whose count was `whenLeft`. Big fan-ins only learn that they are blocked.
    private func countDependents(
        of id: WorkItemID, by change: Int, from: ItemState, to: ItemState, whenLeft: Int?
    ) throws {
        let moves = "state = '\(from.rawValue)'" + (whenLeft.map { " AND dependencies_left = \($0)" } ?? "")
        let counting = change < 0 ? "AND i.fan_in = 0" : ""
        try connection.run(
            """
            WITH dependents AS MATERIALIZED (
                SELECT i.ordinal FROM work_items i
                JOIN item_dependencies d ON d.job = i.job AND d.child = i.ordinal
                WHERE d.job = $1 AND d.parent = $2 \(counting) ORDER BY i.ordinal \(dialect.forUpdateOfI))
            UPDATE work_items SET
                state = CASE WHEN \(moves) THEN '\(to.rawValue)' ELSE state END,
                dependencies_left = dependencies_left + CASE WHEN fan_in = 0 THEN \(change) ELSE 0 END
            FROM dependents
            WHERE work_items.job = $1 AND work_items.ordinal = dependents.ordinal
            """, id.parameters)
    }
}

extension WorkItemID {
    /// `$1` and `$2` of most statements about an item.
    var parameters: [SQLValue] { [.text(job.rawValue), .integer(ordinal)] }
}
