import QuernFormats
import QuernJobs

extension SQLJobStore {
    /// Claims that come together share a transaction.
    public func claim(_ session: SessionID, limit: Int) async throws -> [Claim] {
        let call = ClaimCall(session: session, limit: max(limit, 0))
        let picked = try await claims.answer(to: call) { calls in
            try await write { transaction in
                if let relaxed = transaction.dialect.relaxedCommit { try transaction.connection.script(relaxed) }
                return try transaction.claim(for: calls)
            }
        }
        return try picked.map { try $0.claim() }
    }
}

/// A session that asks for work.
struct ClaimCall: Sendable {
    let session: SessionID
    let limit: Int
}

/// A claimed row, before its JSON is read outside the transaction.
struct PickedItem: Sendable {
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

/// What a session can do; those that can do the same are served together.
private struct Ability: Hashable {
    let memory: Int64
    /// As a list of SQL literals.
    let stages: String
}

/// A live session on its way to new work.
private struct Claimant {
    let node: String
    let ability: Ability
    /// False where it should say that it is alive before it gets anything, or where its node is suspicious.
    let mayHaveWork: Bool
}

/// A place for one item: who gets it, and in answer to which call.
private struct Seat {
    let call: Int
    let session: SessionID
    let node: String
}

extension JobTransaction {
    fileprivate func claim(for calls: [ClaimCall]) throws -> [Result<[PickedItem], any Error>] {
        let claimants = try claimants(Set(calls.map(\.session)))
        var seats: [(ability: Ability, seats: [Seat])] = []
        for (index, call) in calls.enumerated() {
            guard let claimant = claimants[call.session], claimant.mayHaveWork else { continue }
            let own = Array(
                repeating: Seat(call: index, session: call.session, node: claimant.node), count: call.limit)
            if let place = seats.firstIndex(where: { $0.ability == claimant.ability }) {
                seats[place].seats += own
            } else {
                seats.append((claimant.ability, own))
            }
        }
        var picked: [(seat: Seat, item: PickedItem)] = []
        for (ability, seats) in seats where !seats.isEmpty { picked += try claim(for: seats, ability) }
        try insertAttempts(of: picked)
        try chargeShares(for: picked.map(\.item))
        let items = try addTexts(to: picked.map(\.item))
        return calls.enumerated().map { index, call in
            guard claimants[call.session] != nil else {
                return .failure(
                    QuernError(
                        .notFound, "the session has ended", at: call.session.rawValue, remedy: "Open a new session"))
            }
            return .success(zip(picked, items).filter { $0.0.seat.call == index }.map(\.1))
        }
    }

    /// Those of the sessions that live. Keeps them from being ended until the items they get are recorded.
    private func claimants(_ sessions: Set<SessionID>) throws -> [SessionID: Claimant] {
        let rows = try connection.rows(
            """
            SELECT id, node, memory, stages, CASE WHEN expires_at > \(dialect.now) THEN 1 ELSE 0 END
            FROM sessions WHERE id IN (\(placeholders(sessions.count, from: 1))) AND ended_at IS NULL
            ORDER BY id \(dialect.forKeyShare)
            """, sessions.map(\.rawValue).sorted().map(SQLValue.text))
        let suspicious = try suspiciousNodes(Set(try rows.map { try $0.text(1) }))
        let claimants = try rows.map { row in
            let stages = try row.text(3).split(separator: ",").compactMap { Stage(rawValue: String($0)) }
            let node = try row.text(1)
            let ability = Ability(
                memory: try row.integer(2), stages: stages.map { "'\($0.rawValue)'" }.joined(separator: ", "))
            return (
                SessionID(rawValue: try row.text(0)),
                Claimant(
                    node: node, ability: ability,
                    mayHaveWork: try row.int(4) == 1 && !stages.isEmpty && !suspicious.contains(node))
            )
        }
        return Dictionary(claimants, uniquingKeysWith: { first, _ in first })
    }

    /// Nodes on which many different items have failed lately and none was done, while there are workers elsewhere.
    private func suspiciousNodes(_ nodes: Set<String>) throws -> Set<String> {
        guard !nodes.isEmpty else { return [] }
        let rows = try connection.rows(
            """
            SELECT f.node FROM node_failures f
            WHERE f.node IN (\(placeholders(nodes.count, from: 3))) AND f.failed_at > \(dialect.now) - $1
                AND EXISTS (
                    SELECT 1 FROM sessions s
                    WHERE s.ended_at IS NULL AND s.expires_at > \(dialect.now) AND s.node <> f.node)
            GROUP BY f.node HAVING count(*) >= $2
            """,
            [.integer(settings.nodeRest), .integer(settings.suspiciousItems)] + nodes.sorted().map(SQLValue.text))
        return Set(try rows.map { try $0.text(0) })
    }

    /// Priority classes first, then the job that has had least, its largest items first.
    private func claim(for seats: [Seat], _ ability: Ability) throws -> [(seat: Seat, item: PickedItem)] {
        let jobs = try connection.rows(
            """
            SELECT j.id FROM jobs j JOIN job_shares s ON s.job = j.id
            WHERE j.state = 'running' AND EXISTS (
                SELECT 1 FROM work_items i WHERE i.job = j.id AND i.state = 'ready'
                    AND i.not_before <= \(dialect.now) AND i.memory <= $1 AND i.stage IN (\(ability.stages)))
            ORDER BY j.priority DESC, s.virtual_time, j.created_at, j.id LIMIT $2
            """, [.integer(ability.memory), .integer(seats.count)]
        ).map { JobID(rawValue: try $0.text(0)) }

        var picked: [(seat: Seat, item: PickedItem)] = []
        for job in jobs where picked.count < seats.count {
            picked += try pick(from: job, for: Array(seats[picked.count...]), ability)
        }
        return picked
    }

    /// The CTE is materialized because a plain sub-select may be planned into a loop that claims too many.
    private func pick(
        from job: JobID, for seats: [Seat], _ ability: Ability
    ) throws -> [(seat: Seat, item: PickedItem)] {
        let first = 6
        let rows = try connection.rows(
            """
            WITH picked AS MATERIALIZED (
                SELECT ordinal, cost FROM work_items
                WHERE job = $1 AND state = 'ready' AND not_before <= \(dialect.now) AND memory <= $2
                    AND stage IN (\(ability.stages))
                ORDER BY cost DESC, ordinal LIMIT $3 \(dialect.forUpdateSkipLocked)),
            numbered AS (
                SELECT ordinal, row_number() OVER (ORDER BY cost DESC, ordinal) AS number FROM picked),
            seats (number, session) AS (VALUES \(numberedPlaceholders(seats.count, from: first))),
            seated AS MATERIALIZED (
                SELECT ordinal, seats.number, session FROM numbered JOIN seats ON seats.number = numbered.number)
            UPDATE work_items SET state = 'leased', fence = fence + 1, lease_id = \(dialect.randomID),
                session = seated.session, attempts = attempts + 1, claimed_at = \(dialect.now),
                deadline_at = \(dialect.now) + $4 + cost * 1000 / $5
            FROM seated WHERE work_items.job = $1 AND work_items.ordinal = seated.ordinal
            RETURNING work_items.ordinal, fence, lease_id, attempts, cost
            """,
            [
                .text(job.rawValue), .integer(ability.memory), .integer(seats.count),
                .integer(settings.shortestDeadline), .integer(settings.slowestBytesPerSecond),
            ] + seats.map { .text($0.session.rawValue) })
        let items = try rows.map { row in
            let item = WorkItemID(job: job, ordinal: try row.int(0))
            return PickedItem(
                lease: Lease(item: item, id: try row.text(2), fence: try row.integer(1)), attempt: try row.int(3),
                cost: try row.integer(4))
        }.sorted { ($1.cost, $0.lease.item.ordinal) < ($0.cost, $1.lease.item.ordinal) }
        return Array(zip(seats, items))
    }

    private func insertAttempts(of picked: [(seat: Seat, item: PickedItem)]) throws {
        guard !picked.isEmpty else { return }
        let rows = picked.map { seat, item in
            item.lease.item.parameters + [
                .integer(item.attempt), .text(item.lease.id), .integer(item.lease.fence),
                .text(seat.session.rawValue), .text(seat.node),
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
        let payloads = try payloads(of: picked.map(\.lease.item))
        let inputs = try inputs(of: picked.map(\.lease.item))
        return picked.map { item in
            var item = item
            item.payload = payloads[item.lease.item] ?? ""
            item.inputs = inputs[item.lease.item] ?? []
            return item
        }
    }
}

/// `(1, $6), (2, $7)`: `count` parameters from `first` on, each with its number.
private func numberedPlaceholders(_ count: Int, from first: Int) -> String {
    (0..<count).map { "(\($0 + 1), $\(first + $0))" }.joined(separator: ", ")
}
