import Foundation
import QuernFormats
import QuernJobs

extension SQLJobStore {
    public func openSession(_ request: SessionRequest, expiry: Duration) async throws -> SessionID {
        let session = SessionID(rawValue: UUID().uuidString.lowercased())
        try await write { transaction in
            let now = transaction.dialect.now
            try transaction.connection.run(
                """
                INSERT INTO sessions (id, node, slots, memory, stages, opened_at, expiry, expires_at, heard_until,
                    progress)
                VALUES ($1, $2, $3, $4, $5, \(now), $6, \(now) + $6, \(now) + $6, '[]')
                """,
                [
                    .text(session.rawValue), .text(request.node), .integer(request.slots), .integer(request.memory),
                    .text(request.capabilities.map(\.name).joined(separator: ",")), .integer(expiry.milliseconds),
                ])
        }
        return session
    }

    /// Only the reaper ends a session. One whose time is up but that is heard of before that lives on.
    public func heartbeat(
        _ session: SessionID, _ report: HeartbeatReport, expiry: Duration
    ) async throws -> [Lease] {
        let progress = try JSONText.encode(report.leases)
        // Three or more heartbeats come in an expiry. By chance, so that sessions are not all looked at in one moment.
        let isThorough = .random(in: 0..<1) * settings.thoroughInterval.seconds < expiry.seconds / 3
        let (lost, forgotten) = try await write { transaction in
            let now = transaction.dialect.now
            let extended = try transaction.connection.run(
                """
                UPDATE sessions SET expiry = $2, expires_at = \(now) + $2, heard_until = \(now) + $2, progress = $3
                WHERE id = $1 AND ended_at IS NULL
                """, [.text(session.rawValue), .integer(expiry.milliseconds), .text(progress)])
            guard extended == 1 else {
                throw QuernError(
                    .notFound, "the session has ended", at: session.rawValue, remedy: "Open a new session")
            }
            let reported = report.leases.map(\.lease)
            return (
                try transaction.lost(of: reported, session),
                try transaction.forgotten(
                    by: session, reporting: reported, after: expiry.milliseconds,
                    reach: isThorough ? .max / 2 : ReaperWatch.reach)
            )
        }
        // A claim whose answer never arrived: the worker does not know that it has the item.
        for lease in forgotten {
            do {
                try await release(lease)
            } catch let error as QuernError where error.code == .conflict {
                continue
            }
        }
        return lost
    }

    public func closeAllSessions() async throws {
        let open = try await read { transaction in
            try transaction.connection.rows("SELECT id FROM sessions WHERE ended_at IS NULL", []).map { try $0.text(0) }
        }
        for session in open { try await closeSession(SessionID(rawValue: session)) }
    }

    public func closeSession(_ session: SessionID) async throws {
        try await write { [settings] transaction in
            // Waits for a claim that is under way, for its items would belong to nobody.
            let open = try transaction.connection.rows(
                "SELECT 1 FROM sessions WHERE id = $1 AND ended_at IS NULL \(transaction.dialect.forUpdate)",
                [.text(session.rawValue)])
            guard !open.isEmpty else { return }
            try transaction.connection.run(
                "UPDATE sessions SET ended_at = \(transaction.dialect.now) WHERE id = $1", [.text(session.rawValue)])
            for row in try transaction.lockHeld(by: session) {
                guard let id = row.life.leaseID else { continue }
                let lease = Lease(item: row.life.id, id: id, fence: row.life.fence)
                try transaction.save(
                    row, try decide(row.life, .released(lease), at: row.now, policy: settings.retry))
            }
        }
        database.signal()
    }
}

extension JobTransaction {
    /// Those of the reported leases that no longer hold, nor were completed.
    fileprivate func lost(of reported: [Lease], _ session: SessionID) throws -> [Lease] {
        var held: Set<Lease> = []
        for (job, leases) in Dictionary(grouping: reported, by: \.item.job) {
            let rows = try connection.rows(
                """
                SELECT ordinal, fence, lease_id FROM work_items
                WHERE job = $1 AND ordinal IN (\(placeholders(leases.count, from: 3))) AND state = 'leased'
                    AND session = $2
                """,
                [.text(job.rawValue), .text(session.rawValue)] + leases.map { .integer($0.item.ordinal) })
            for row in rows {
                let item = WorkItemID(job: job, ordinal: try row.int(0))
                held.insert(Lease(item: item, id: try row.text(2), fence: try row.integer(1)))
            }
        }
        return try reported.filter { lease in
            guard !held.contains(lease) else { return false }
            return try connection.rows(
                "SELECT 1 FROM all_work_items WHERE job = $1 AND ordinal = $2 AND state = 'done' AND lease_id = $3",
                lease.item.parameters + [.text(lease.id)]
            ).isEmpty
        }
    }

    /// Leases that the session was given more than `expiry` milliseconds ago and does not report: at most `reach`
    /// milliseconds before that, for each claim leaves behind an entry of the index that an open transaction keeps.
    fileprivate func forgotten(
        by session: SessionID, reporting reported: [Lease], after expiry: Int64, reach: Int64
    ) throws -> [Lease] {
        let known = Set(reported)
        return try connection.rows(
            """
            SELECT job, ordinal, fence, lease_id FROM work_items
            WHERE state = 'leased' AND session = $1 AND claimed_at < \(dialect.now) - $2
                AND claimed_at >= \(dialect.now) - $2 - $3
            """, [.text(session.rawValue), .integer(expiry), .integer(reach)]
        ).map { row in
            let item = WorkItemID(job: JobID(rawValue: try row.text(0)), ordinal: try row.int(1))
            return Lease(item: item, id: try row.text(3), fence: try row.integer(2))
        }.filter { !known.contains($0) }
    }

    /// Locks what a session holds, jobs first, and reads it.
    func lockHeld(by session: SessionID) throws -> [ItemRow] {
        try lock(
            try connection.rows(
                "SELECT job, ordinal FROM work_items WHERE state = 'leased' AND session = $1",
                [.text(session.rawValue)])
        ).filter { $0.session == session }
    }

    /// Locks and reads those items, given as rows of job and ordinal, that are still leased.
    func lock(_ items: [SQLRow]) throws -> [ItemRow] {
        let ids = try items.map { WorkItemID(job: JobID(rawValue: try $0.text(0)), ordinal: try $0.int(1)) }
            .sorted { ($0.job.rawValue, $0.ordinal) < ($1.job.rawValue, $1.ordinal) }
        for job in Set(ids.map(\.job.rawValue)).sorted() { _ = try lockJob(JobID(rawValue: job)) }
        return try ids.compactMap { try loadInFull($0) }.filter { $0.life.state == .leased }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
