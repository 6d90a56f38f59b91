import QuernFormats
import QuernJobs

extension SQLJobStore {
    /// For one expiry after this store was opened, after the database was away and after a pause, nobody is reaped:
    /// workers must first have had time to be heard.
    public func reap() async throws -> Int {
        let now = try await read { try $0.now() }
        let since = reaperWatch.listeningSince(
            now: now, outages: database.outages, longestPause: settings.longestReaperPause)
        var taken = 0
        let isThorough = reaperWatch.isThorough(now: now, since: since, every: settings.thoroughInterval)
        let earliest = isThorough ? 0 : now - ReaperWatch.reach
        while let ended = try await write({ try $0.endDeadSession(listeningSince: since, expiredAfter: earliest) }) {
            taken += ended
        }
        if isThorough {
            taken += try await write { try $0.takeOverdueItems(listeningSince: since) }
            try await write { try $0.forgetOldSessions() }
        }
        if taken > 0 { database.signal() }
        return taken
    }

    public func resolve() async throws -> Int {
        let jobs = try await read { transaction in
            try transaction.connection.rows(
                """
                SELECT j.id FROM jobs j WHERE j.state IN ('running', 'paused') AND (
                    \(JobTransaction.isAllDone)
                    OR EXISTS (
                        SELECT 1 FROM work_items i WHERE i.job = j.id AND i.state = 'blocked' AND i.fan_in = 1
                            AND \(JobTransaction.hasNothingToWaitFor)))
                ORDER BY j.id
                """, []
            ).map { JobID(rawValue: try $0.text(0)) }
        }
        var settled = 0
        for job in jobs { settled += try await write { try $0.settle(job) } }
        if settled > 0 { database.signal() }
        return settled
    }

    public func lead(_ duty: LeaderDuty, holder: String, term: Duration) async throws -> Bool {
        try await write { transaction in
            let now = transaction.dialect.now
            let rows = try transaction.connection.rows(
                """
                INSERT INTO leadership (duty, holder, term, expires_at) VALUES ($3, $1, 1, \(now) + $2)
                ON CONFLICT (duty) DO UPDATE SET
                    holder = excluded.holder, expires_at = excluded.expires_at,
                    term = leadership.term + CASE WHEN leadership.holder = excluded.holder THEN 0 ELSE 1 END
                WHERE leadership.holder = excluded.holder OR leadership.expires_at <= \(now)
                RETURNING term
                """, [.text(holder), .integer(term.milliseconds), .text(duty.rawValue)])
            return !rows.isEmpty
        }
    }
}

extension JobTransaction {
    /// Ends one session that has not been heard of for its expiry, and takes what it holds. Sessions that somebody
    /// else is busy with are left alone.
    /// - Returns: how many items were taken; nil where there is no dead session.
    fileprivate func endDeadSession(listeningSince since: Int64, expiredAfter earliest: Int64) throws -> Int? {
        let dead = try connection.rows(
            """
            SELECT id, node FROM sessions
            WHERE ended_at IS NULL AND expires_at <= \(dialect.now) AND expires_at > $2
                AND expiry <= \(dialect.now) - $1
            ORDER BY expires_at, id LIMIT 1 \(dialect.forUpdateSkipLocked)
            """, [.integer(since), .integer(earliest)]
        ).first
        guard let dead else { return nil }
        let session = SessionID(rawValue: try dead.text(0))
        try connection.run(
            "UPDATE sessions SET ended_at = \(dialect.now) WHERE id = $1", [.text(session.rawValue)])
        let held = try lockHeld(by: session)
        for row in held { try take(row, node: try dead.text(1), "its worker was not heard of any more") }
        return held.count
    }

    /// Takes items that have been held for longer than any worker should need.
    fileprivate func takeOverdueItems(listeningSince since: Int64) throws -> Int {
        let overdue = try lock(
            try connection.rows(
                """
                SELECT i.job, i.ordinal FROM work_items i JOIN sessions s ON s.id = i.session
                WHERE i.state = 'leased' AND i.deadline_at <= \(dialect.now) AND s.expiry <= \(dialect.now) - $1
                ORDER BY i.job, i.ordinal LIMIT 100
                """, [.integer(since)]))
        var taken = 0
        for row in overdue {
            guard let session = row.session else { continue }
            let stillOverdue = try connection.rows(
                """
                SELECT s.node FROM work_items i JOIN sessions s ON s.id = i.session
                WHERE i.job = $1 AND i.ordinal = $2 AND i.session = $3 AND i.deadline_at <= \(dialect.now)
                """, row.life.id.parameters + [.text(session.rawValue)])
            guard let node = try stillOverdue.first?.text(0) else { continue }
            try take(row, node: node, "its worker took too long")
            taken += 1
        }
        return taken
    }

    private func take(_ row: ItemRow, node: String, _ reason: String) throws {
        try save(
            row, try decide(row.life, .lost(node: node, reason: reason), at: row.now, policy: settings.retry))
    }

    /// Ended sessions are of no use after a day; the audit trail knows their nodes.
    fileprivate func forgetOldSessions() throws {
        try connection.run("DELETE FROM sessions WHERE ended_at < \(dialect.now) - 86400000", [])
        try connection.run(
            "DELETE FROM node_failures WHERE failed_at <= \(dialect.now) - $1", [.integer(settings.nodeRest)])
    }
}
