import QuernFormats
import QuernJobs
import QuernStore

extension SQLJobStore {
    public func complete(
        _ lease: Lease, _ completion: Completion, continuing continuation: JobContinuation?, keepingBlobs: Bool
    ) async throws {
        try continuation?.validate(of: lease.item.job)
        let result = try JSONText.encode(completion.result)
        let digest = Digest(of: Array(result.utf8)).hex
        let entries = try completion.cache.sorted { $0.key.hex < $1.key.hex }.map { entry -> [SQLValue] in
            [.text(entry.key.hex), .text(entry.part.digest.hex), .text(try JSONText.encode(entry.part))]
        }
        let payloads = try continuation?.items.map { try JSONText.encode($0.payload) } ?? []
        let artifacts = try JSONText.encode(continuation?.artifacts ?? [])
        let blobs = keepingBlobs ? completion.blobs : []

        /// - Returns: whether nothing is left to run; nil where the item is to be locked with all that depends on it.
        @Sendable func save(in transaction: JobTransaction, withDependents: Bool) throws -> Bool? {
            if withDependents {
                try transaction.lockDependents(of: lease.item)
            } else if continuation != nil {
                // None is to be done or undone before its new dependents are there to be told.
                try transaction.lockItems(of: lease.item.job)
            }
            guard let row = try transaction.load(lease.item) else { throw unknownItem(lease) }
            let mutations = try decide(
                row.life, .completed(lease, digest: digest), at: row.now, policy: settings.retry)
            guard !mutations.isEmpty else { return false }
            let unkept = blobs.subtracting(try transaction.keepBlobs(blobs))
            guard unkept.isEmpty else { throw UnkeptBlobs(digests: unkept) }
            let rewinds = mutations.contains(.rewindDependents)
            guard withDependents || !rewinds else { return nil }
            try transaction.save(row, mutations)
            if rewinds { try transaction.rewindDependents(of: lease.item) }
            try transaction.connection.run(
                """
                INSERT INTO item_results (job, ordinal, result) VALUES ($1, $2, $3)
                ON CONFLICT (job, ordinal) DO UPDATE SET result = excluded.result
                """, lease.item.parameters + [.text(result)])
            try transaction.insertRows(
                "cache (key, digest, part)", entries, suffix: "ON CONFLICT (key) DO NOTHING")
            if let continuation {
                try transaction.add(continuation, to: lease.item.job, payloads: payloads, artifacts: artifacts)
            }
            return try transaction.isQuiet(lease.item.job)
        }
        var isQuiet = try await write { try save(in: $0, withDependents: false) }
        if isQuiet == nil { isQuiet = try await write { try save(in: $0, withDependents: true) } }
        // With nothing left to run, what waits for everything need not wait for the resolver's next round.
        if isQuiet == true { _ = try await write { try $0.settle(lease.item.job) } }
        database.signal()
    }

    public func release(_ lease: Lease) async throws {
        try await write { [settings] transaction in
            guard let row = try transaction.loadInFull(lease.item) else { throw unknownItem(lease) }
            let mutations = try decide(row.life, .released(lease), at: row.now, policy: settings.retry)
            try transaction.save(row, mutations)
        }
        database.signal()
    }

    public func lookUp(_ keys: [Digest]) async throws -> [Digest: Part] {
        let atOnce = 200
        let rows = try await read { transaction in
            try stride(from: 0, to: keys.count, by: atOnce).flatMap { start in
                let part = keys[start..<min(start + atOnce, keys.count)]
                return try transaction.connection.rows(
                    "SELECT key, part FROM cache WHERE key IN (\(placeholders(part.count, from: 1)))",
                    part.map { .text($0.hex) })
            }
        }
        let parts = try rows.compactMap { row in
            Digest(hex: try row.text(0)).map { key in (key, row) }
        }.map { ($0, try JSONText.decode(Part.self, from: try $1.text(1))) }
        return Dictionary(parts, uniquingKeysWith: { first, _ in first })
    }
}

func unknownItem(_ lease: Lease) -> QuernError {
    QuernError(.conflict, "no such work item", at: "\(lease.item.job)/\(lease.item.ordinal)")
}

extension JobTransaction {
    /// Ordinals of the item and of all that depends on it, directly or not: a table `below`.
    private static let below = """
        WITH RECURSIVE below(ordinal) AS (
            SELECT CAST($2 AS bigint) UNION
            SELECT d.child FROM item_dependencies d JOIN below b ON d.parent = b.ordinal WHERE d.job = $1)
        """

    /// Locks the job and all its items, in the one order.
    fileprivate func lockItems(of job: JobID) throws {
        _ = try lockJob(job)
        guard !dialect.forUpdate.isEmpty else { return }
        _ = try connection.rows(
            "SELECT 1 FROM work_items WHERE job = $1 ORDER BY ordinal \(dialect.forUpdate)", [.text(job.rawValue)])
    }

    /// Locks the job, the item and all that depends on it, in the one order.
    fileprivate func lockDependents(of item: WorkItemID) throws {
        _ = try lockJob(item.job)
        guard !dialect.forUpdateOfI.isEmpty else { return }
        _ = try connection.rows(
            """
            \(Self.below)
            SELECT 1 FROM work_items i WHERE i.job = $1 AND i.ordinal IN (SELECT ordinal FROM below)
            ORDER BY i.ordinal \(dialect.forUpdateOfI)
            """, item.parameters)
    }

    /// Takes back whatever was made, is being made or may still be handed in from a result that has changed.
    fileprivate func rewindDependents(of item: WorkItemID) throws {
        let outdated = try connection.rows(
            """
            \(Self.below)
            SELECT i.ordinal FROM work_items i
            WHERE i.job = $1 AND i.ordinal <> $2 AND i.ordinal IN (SELECT ordinal FROM below)
                AND (i.state IN ('done', 'leased') OR i.state IN ('blocked', 'ready') AND i.lease_id IS NOT NULL)
            ORDER BY i.ordinal
            """, item.parameters
        ).map { try $0.int(0) }
        for ordinal in outdated {
            guard let row = try loadInFull(WorkItemID(job: item.job, ordinal: ordinal)) else { continue }
            try save(row, try decide(row.life, .outdated, at: row.now, policy: settings.retry))
        }
    }

    fileprivate func isQuiet(_ job: JobID) throws -> Bool {
        try connection.rows(
            "SELECT 1 FROM work_items WHERE job = $1 AND state IN ('ready', 'leased') LIMIT 1",
            [.text(job.rawValue)]
        ).isEmpty
    }
}
