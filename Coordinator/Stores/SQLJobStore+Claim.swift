import QuernFormats
import QuernJobs

extension SQLJobStore {
    public func claim(_ session: SessionID, limit: Int) async throws -> [Claim] {
        let picked = try await write { transaction in
            guard let worker = try transaction.claimant(session) else {
                throw QuernError(
                    .notFound, "the session has ended", at: session.rawValue, remedy: "Open a new session")
            }
            return try transaction.claim(for: worker, limit: limit)
        }
        return try picked.map { try $0.claim() }
    }
}

/// A live session on its way to new work.
private struct Claimant {
    let session: SessionID
    let node: String
    let memory: Int64
    /// As a list of SQL literals.
    let stages: String
    /// False where it should say that it is alive before it gets anything, or where its node is suspicious.
    let mayHaveWork: Bool
}

/// A claimed row, before its JSON is read outside the transaction.
private struct PickedItem: Sendable {
    let lease: Lease
    let attempt: Int
    let cost: Int64
    var payload = ""
    var inputs: [(ordinal: Int, result: String)] = []

    func claim() throws -> Claim {
        let payload = try JSONText.decode(WorkPayload.self, from: payload)
        let results = try inputs.map { input in
            (input.ordinal, payload.input(from: try JSONText.decode(WorkResult.self, from: input.result)))
        }
        return Claim(
            lease: lease, payload: payload, attempt: attempt,
            inputs: Dictionary(results, uniquingKeysWith: { first, _ in first }))
    }
}

extension JobTransaction {
    /// Keeps the session from being ended until the items it gets are recorded.
    fileprivate func claimant(_ session: SessionID) throws -> Claimant? {
        let row = try connection.rows(
            """
            SELECT node, memory, stages, CASE WHEN expires_at > \(dialect.now) THEN 1 ELSE 0 END
            FROM sessions WHERE id = $1 AND ended_at IS NULL \(dialect.forKeyShare)
            """, [.text(session.rawValue)]
        ).first
        guard let row else { return nil }
        let stages = try row.text(2).split(separator: ",").compactMap { Stage(rawValue: String($0)) }
        let node = try row.text(0)
        return Claimant(
            session: session, node: node, memory: try row.integer(1),
            stages: stages.map { "'\($0.rawValue)'" }.joined(separator: ", "),
            mayHaveWork: try row.int(3) == 1 && !stages.isEmpty && !isSuspicious(node: node))
    }

    /// Many different items have failed on the node lately and none was done, while there are workers elsewhere.
    private func isSuspicious(node: String) throws -> Bool {
        try connection.rows(
            """
            SELECT 1 FROM sessions WHERE ended_at IS NULL AND expires_at > \(dialect.now) AND node <> $1
                AND (SELECT count(*) FROM node_failures WHERE node = $1 AND failed_at > \(dialect.now) - $2) >= $3
            LIMIT 1
            """, [.text(node), .integer(settings.nodeRest), .integer(settings.suspiciousItems)]
        ).isEmpty == false
    }

    /// Priority classes first, then the job that has had least, its largest items first.
    fileprivate func claim(for worker: Claimant, limit: Int) throws -> [PickedItem] {
        guard worker.mayHaveWork && limit > 0 else { return [] }
        let jobs = try connection.rows(
            """
            SELECT j.id FROM jobs j JOIN job_shares s ON s.job = j.id
            WHERE j.state = 'running' AND EXISTS (
                SELECT 1 FROM work_items i WHERE i.job = j.id AND i.state = 'ready'
                    AND i.not_before <= \(dialect.now) AND i.memory <= $1 AND i.stage IN (\(worker.stages)))
            ORDER BY j.priority DESC, s.virtual_time, j.created_at, j.id LIMIT $2
            """, [.integer(worker.memory), .integer(limit)]
        ).map { JobID(rawValue: try $0.text(0)) }

        var picked: [PickedItem] = []
        for job in jobs where picked.count < limit {
            picked += try pick(from: job, for: worker, limit: limit - picked.count)
        }
        guard !picked.isEmpty else { return [] }
        try insertAttempts(of: picked, by: worker)
        try chargeShares(for: picked)
        return try addTexts(to: picked)
    }

    /// The CTE is materialized because a plain sub-select may be planned into a loop that claims too many.
    private func pick(from job: JobID, for worker: Claimant, limit: Int) throws -> [PickedItem] {
        try connection.rows(
            """
            WITH picked AS MATERIALIZED (
                SELECT ordinal FROM work_items
                WHERE job = $1 AND state = 'ready' AND not_before <= \(dialect.now) AND memory <= $2
                    AND stage IN (\(worker.stages))
                ORDER BY cost DESC, ordinal LIMIT $3 \(dialect.forUpdateSkipLocked))
            UPDATE work_items SET state = 'leased', fence = fence + 1, lease_id = \(dialect.randomID),
                session = $4, attempts = attempts + 1, claimed_at = \(dialect.now),
                deadline_at = \(dialect.now) + $5 + cost * 1000 / $6
            FROM picked WHERE work_items.job = $1 AND work_items.ordinal = picked.ordinal
            RETURNING work_items.ordinal, fence, lease_id, attempts, cost
            """,
            [
                .text(job.rawValue), .integer(worker.memory), .integer(limit), .text(worker.session.rawValue),
                .integer(settings.shortestDeadline), .integer(settings.slowestBytesPerSecond),
            ]
        ).map { row in
            let item = WorkItemID(job: job, ordinal: try row.int(0))
            return PickedItem(
                lease: Lease(item: item, id: try row.text(2), fence: try row.integer(1)), attempt: try row.int(3),
                cost: try row.integer(4))
        }.sorted { ($1.cost, $0.lease.item.ordinal) < ($0.cost, $1.lease.item.ordinal) }
    }

    private func insertAttempts(of picked: [PickedItem], by worker: Claimant) throws {
        let rows = picked.map { item in
            item.lease.item.parameters + [
                .integer(item.attempt), .text(item.lease.id), .integer(item.lease.fence),
                .text(worker.session.rawValue), .text(worker.node),
            ]
        }
        let columns = 7
        let values = (0..<rows.count).map { row in
            "(\(placeholders(columns, from: 1 + row * columns)), \(dialect.now))"
        }.joined(separator: ", ")
        try connection.run(
            """
            INSERT INTO attempts (job, ordinal, attempt, lease_id, fence, session, node, started_at)
            VALUES \(values)
            """, rows.flatMap(\.self))
    }

    private func chargeShares(for picked: [PickedItem]) throws {
        let costs = Dictionary(picked.map { ($0.lease.item.job.rawValue, $0.cost) }, uniquingKeysWith: +)
        for (job, cost) in costs.sorted(by: { $0.key < $1.key }) {
            try connection.run(
                "UPDATE job_shares SET virtual_time = virtual_time + $2 WHERE job = $1",
                [.text(job), .integer(cost)])
        }
    }

    private func addTexts(to picked: [PickedItem]) throws -> [PickedItem] {
        try picked.map { item in
            var item = item
            let parameters = item.lease.item.parameters
            let payload = try connection.rows(
                "SELECT payload FROM item_payloads WHERE job = $1 AND ordinal = $2", parameters)
            item.payload = try payload.first?.text(0) ?? ""
            item.inputs = try connection.rows(
                """
                SELECT d.parent, r.result FROM item_dependencies d
                JOIN item_results r ON r.job = d.job AND r.ordinal = d.parent
                WHERE d.job = $1 AND d.child = $2
                """, parameters
            ).map { (try $0.int(0), try $0.text(1)) }
            return item
        }
    }
}
