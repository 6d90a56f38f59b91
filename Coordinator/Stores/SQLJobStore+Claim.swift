import QuernFormats
import QuernJobs

extension SQLJobStore {
    /// Claims that come together share a transaction.
    public func claim(_ session: SessionID, limit: Int) async throws -> [Claim] {
        let call = ClaimCall(session: session, limit: max(limit, 0))
        let picked = try await claims.answer(to: call) { calls in
            let batch = try await write { [remembered = memory.value] transaction in
                if let relaxed = transaction.dialect.relaxedCommit { try transaction.connection.script(relaxed) }
                var memory = remembered
                return (answers: try transaction.claim(for: calls, &memory), memory: memory)
            }
            memory.value = batch.memory
            return batch.answers
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
struct Ability: Hashable {
    let memory: Int64
    /// As a list of SQL literals.
    let capabilities: String
}

/// A live session on its way to new work.
private struct Claimant {
    let node: String
    let ability: Ability
    /// False where it should say that it is alive before it gets anything, or where its node is suspicious.
    let mayHaveWork: Bool
}

/// A place for one item: who gets it, and in answer to which call.
struct Seat {
    let call: Int
    let session: SessionID
    let node: String
}

extension JobTransaction {
    fileprivate func claim(
        for calls: [ClaimCall], _ memory: inout ClaimMemory
    ) throws -> [Result<[PickedItem], any Error>] {
        memory.forgetPlaces(after: settings.claimMemory)
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
        for (ability, seats) in seats where !seats.isEmpty {
            picked += try pick(for: seats, ability, &memory)
        }
        try insertAttempts(of: picked)
        let costs = Dictionary(picked.map { ($0.item.lease.item.job, $0.item.cost) }, uniquingKeysWith: +)
        if let due = memory.charge(costs, writingEvery: settings.claimMemory) { try chargeShares(due) }
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
            let names = try row.text(3).split(separator: ",").compactMap { Capability(name: String($0))?.name }
            let node = try row.text(1)
            let ability = Ability(
                memory: try row.integer(2), capabilities: names.map { "'\($0)'" }.joined(separator: ", "))
            return (
                SessionID(rawValue: try row.text(0)),
                Claimant(
                    node: node, ability: ability,
                    mayHaveWork: try row.int(4) == 1 && !names.isEmpty && !suspicious.contains(node))
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

    private func chargeShares(_ costs: [JobID: Int64]) throws {
        for (job, cost) in costs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try connection.run(
                "UPDATE job_shares SET virtual_time = virtual_time + $2 WHERE job = $1",
                [.text(job.rawValue), .integer(cost)])
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
