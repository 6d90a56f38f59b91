import QuernFormats
import QuernJobs
import QuernStore

extension SQLJobStore {
    public func keepBlobs(_ digests: [Digest]) async throws -> Set<Digest> {
        try await write { try $0.keepBlobs(digests) }
    }

    public func announceBlobs(_ digests: [Digest]) async throws -> [Digest: BlobArrival] {
        try await write { try $0.announceBlobs(digests) }
    }

    public func confirmBlobs(_ arrivals: [Digest: BlobArrival]) async throws -> Set<Digest> {
        try await write { try $0.confirmBlobs(arrivals) }
    }

    public func registerBlobs(_ digests: [Digest]) async throws {
        try await write { try $0.insertBlobs(digests, as: "live") }
    }

    /// Looks at the blobs in pages, so that memory and transactions stay small; whatever changes in between counts,
    /// because every change of a row looks again at when the blob was last asked for.
    public func condemnBlobs(_ retention: BlobRetention) async throws -> (condemned: Int, deleting: Int) {
        let limits = try await read { try $0.limits(of: retention) }
        var (condemned, deleting) = (0, 0)
        var last = ""
        while true {
            let page = try await read { [last] in try $0.idleBlobs(limits, after: last) }
            guard let end = page.last else { return (condemned, deleting) }
            last = end
            let idle = try await withoutReferences(Set(page.compactMap { Digest(hex: $0) })).map(\.hex).sorted()
            for start in stride(from: 0, to: idle.count, by: JobTransaction.blobsAtOnce) {
                let part = Array(idle[start..<min(start + JobTransaction.blobsAtOnce, idle.count)])
                let changed = try await write { try $0.condemn(part, limits) }
                condemned += changed.condemned
                deleting += changed.deleting
            }
        }
    }

    /// Leaves out what payloads and results of jobs name that have not ended for good: one that failed or was cancelled
    /// may be tried again. Whatever looks like a name counts as one, so that none is missed.
    private func withoutReferences(_ digests: Set<Digest>) async throws -> Set<Digest> {
        var left = digests
        for (table, column) in [("item_payloads", "payload"), ("item_results", "result")] {
            var after = ("", -1)
            while !left.isEmpty {
                let rows = try await read { [after] in try $0.texts(column, of: table, after: after) }
                guard let end = rows.last else { break }
                for row in rows { left.subtract(Digest.named(in: row.text.utf8)) }
                after = (end.job, end.ordinal)
            }
        }
        return left
    }

    public func blobsToDelete(limit: Int) async throws -> [Digest] {
        try await read { transaction in
            try transaction.connection.rows(
                "SELECT digest FROM blobs WHERE state = 'deleting' ORDER BY digest LIMIT $1", [.integer(limit)]
            ).compactMap { Digest(hex: try $0.text(0)) }
        }
    }

    public func forgetBlobs(_ digests: [Digest]) async throws {
        try await write { transaction in
            for part in JobTransaction.pages(digests) {
                let list = placeholders(part.count, from: 1)
                try transaction.connection.run("DELETE FROM cache WHERE digest IN (\(list))", part)
                try transaction.connection.run(
                    "DELETE FROM blobs WHERE digest IN (\(list)) AND state = 'deleting'", part)
            }
        }
    }
}

/// Times by the database's clock before which something must have happened.
private struct RetentionLimits {
    /// Last asked for, of a live blob and, condemned, of a condemned one.
    let idle: Int64
    /// Last asked for, of a blob that is cached.
    let cached: Int64
}

extension JobTransaction {
    static var blobsAtOnce: Int { 200 }

    fileprivate static func pages(_ digests: some Collection<Digest>) -> [[SQLValue]] {
        let names = Set(digests).map(\.hex).sorted()
        return stride(from: 0, to: names.count, by: blobsAtOnce).map { start in
            names[start..<min(start + blobsAtOnce, names.count)].map(SQLValue.text)
        }
    }

    fileprivate func insertBlobs(_ digests: some Collection<Digest>, as state: String) throws {
        for part in Self.pages(digests) {
            let rows = (1...part.count).map { "($\($0), '\(state)', \(dialect.now), \(dialect.now))" }
            try connection.run(
                """
                INSERT INTO blobs (digest, state, arrived_at, touched_at) VALUES \(rows.joined(separator: ", "))
                ON CONFLICT (digest) DO NOTHING
                """, part)
        }
    }

    /// Those of the blobs that stay, and do so for a while yet.
    func keepBlobs(_ digests: some Collection<Digest>) throws -> Set<Digest> {
        Set(try touch(digests, in: "('live', 'condemned')").keys)
    }

    fileprivate func announceBlobs(_ digests: [Digest]) throws -> [Digest: BlobArrival] {
        let states = "('arriving', 'live', 'condemned')"
        let known = try touch(digests, in: states)
        let others = Set(digests).subtracting(known.keys)
        try insertBlobs(others, as: "arriving")
        return known.merging(try touch(others, in: states)) { first, _ in first }
    }

    fileprivate func confirmBlobs(_ arrivals: [Digest: BlobArrival]) throws -> Set<Digest> {
        for part in Self.pages(arrivals.keys) {
            let lives = try part.flatMap { name in [name, .integer(arrivals[try digest(name)]?.time ?? 0)] }
            let list = (0..<part.count).map { "($\(2 * $0 + 1), CAST($\(2 * $0 + 2) AS bigint))" }
            try connection.run(
                """
                WITH arrived AS MATERIALIZED (
                    SELECT digest FROM blobs
                    WHERE (digest, arrived_at) IN (VALUES \(list.joined(separator: ", "))) AND state = 'arriving'
                    ORDER BY digest \(dialect.forUpdate))
                UPDATE blobs SET state = 'live' FROM arrived
                WHERE blobs.digest = arrived.digest AND blobs.state = 'arriving'
                """, lives)
        }
        return Set(try touch(arrivals.keys, in: "('live', 'condemned')").filter { arrivals[$0.key] == $0.value }.keys)
    }

    /// Those of the blobs that are in one of `states`. Condemned ones are live again; rows that were touched a moment
    /// ago are only read.
    private func touch(
        _ digests: some Collection<Digest>, in states: String
    ) throws -> [Digest: BlobArrival] {
        var found: [Digest: BlobArrival] = [:]
        for part in Self.pages(digests) {
            var stale: [SQLValue] = []
            let rows = try connection.rows(
                """
                SELECT digest, arrived_at,
                    CASE WHEN state <> 'condemned' AND touched_at > \(dialect.now) - $1 THEN 1 ELSE 0 END
                FROM blobs WHERE digest IN (\(placeholders(part.count, from: 2))) AND state IN \(states)
                """, [.integer(BlobRetention.touchInterval.milliseconds)] + part)
            for row in rows {
                let name = SQLValue.text(try row.text(0))
                guard try row.int(2) == 1 else {
                    stale.append(name)
                    continue
                }
                found[try digest(name)] = BlobArrival(time: try row.integer(1))
            }
            guard !stale.isEmpty else { continue }
            // Locked in one order, for others touch the same ones.
            let touched = try connection.rows(
                """
                WITH wanted AS MATERIALIZED (
                    SELECT digest FROM blobs WHERE digest IN (\(placeholders(stale.count, from: 1)))
                    ORDER BY digest \(dialect.forUpdate))
                UPDATE blobs SET state = CASE WHEN state = 'condemned' THEN 'live' ELSE state END,
                    touched_at = \(dialect.now)
                FROM wanted WHERE blobs.digest = wanted.digest AND blobs.state IN \(states)
                RETURNING blobs.digest, arrived_at
                """, stale)
            for row in touched {
                found[try digest(.text(try row.text(0)))] = BlobArrival(time: try row.integer(1))
            }
        }
        return found
    }

    private func digest(_ name: SQLValue) throws -> Digest {
        guard case .text(let hex) = name, let digest = Digest(hex: hex) else {
            throw QuernError(.corrupted, "the job database knows a blob of a strange name", at: "\(name)")
        }
        return digest
    }

    // MARK: Collecting

    fileprivate func limits(of retention: BlobRetention) throws -> RetentionLimits {
        let now = try now()
        // Whoever holds an item may rely on what was said since it was claimed.
        let oldest = try connection.rows("SELECT min(claimed_at) FROM work_items WHERE state = 'leased'", [])
        let idle = min(now - retention.grace.milliseconds, try oldest.first?.optionalInteger(0) ?? now)
        return RetentionLimits(idle: idle, cached: min(idle, now - retention.parts.milliseconds))
    }

    /// Names of the next blobs that may be condemned or deleted, in order.
    fileprivate func idleBlobs(_ limits: RetentionLimits, after last: String) throws -> [String] {
        try connection.rows(
            """
            SELECT b.digest FROM blobs b WHERE b.digest > $1 AND \(Self.isIdle)
            ORDER BY b.digest LIMIT 100000
            """, [.text(last), .integer(limits.idle), .integer(limits.cached)]
        ).map { try $0.text(0) }
    }

    /// A condition on the row `b` of blobs; `$2` and `$3` are the limits.
    private static let isIdle = """
        (b.state IN ('arriving', 'condemned') AND b.touched_at < $2 OR b.state = 'live' AND b.touched_at < $2
            AND (b.touched_at < $3 OR NOT EXISTS (SELECT 1 FROM cache c WHERE c.digest = b.digest)))
        """

    fileprivate func condemn(
        _ names: [String], _ limits: RetentionLimits
    ) throws -> (condemned: Int, deleting: Int) {
        let states = try connection.rows(
            """
            WITH idle AS MATERIALIZED (
                SELECT b.digest FROM blobs b
                WHERE b.digest IN (\(placeholders(names.count, from: 4))) AND b.digest > $1 AND \(Self.isIdle)
                ORDER BY b.digest \(dialect.forUpdate))
            UPDATE blobs SET state = CASE WHEN state = 'live' THEN 'condemned' ELSE 'deleting' END,
                touched_at = \(dialect.now)
            FROM idle WHERE blobs.digest = idle.digest AND state <> 'deleting' RETURNING state
            """, [.text(""), .integer(limits.idle), .integer(limits.cached)] + names.map(SQLValue.text)
        ).map { try $0.text(0) }
        let condemned = states.count { $0 == "condemned" }
        return (condemned, states.count - condemned)
    }

    /// Texts of jobs that are not done, in order of job and ordinal.
    fileprivate func texts(
        _ column: String, of table: String, after last: (job: String, ordinal: Int)
    ) throws -> [(job: String, ordinal: Int, text: String)] {
        try connection.rows(
            """
            SELECT t.job, t.ordinal, t.\(column) FROM \(table) t JOIN jobs j ON j.id = t.job
            WHERE (t.job, t.ordinal) > ($1, $2) AND j.state <> 'done'
            ORDER BY t.job, t.ordinal LIMIT 500
            """, [.text(last.job), .integer(last.ordinal)]
        ).map { (try $0.text(0), try $0.int(1), try $0.text(2)) }
    }
}
