import QuernFormats
import QuernJobs
import QuernStore

extension SQLJobStore {
    public func complete(_ lease: Lease, _ completion: Completion) async throws {
        let result = try JSONText.encode(completion.result)
        let digest = Digest(of: Array(result.utf8)).hex
        let entries = try completion.cache.sorted { $0.key.hex < $1.key.hex }.map { entry -> [SQLValue] in
            [.text(entry.key.hex), .text(entry.part.digest.hex), .text(try JSONText.encode(entry.part))]
        }

        let isQuiet = try await write { [settings] transaction in
            guard let row = try transaction.load(lease.item) else { throw unknownItem(lease) }
            let mutations = try decide(
                row.life, .completed(lease, digest: digest), at: row.now, policy: settings.retry)
            guard !mutations.isEmpty else { return false }
            try transaction.save(row, mutations)
            try transaction.connection.run(
                """
                INSERT INTO item_results (job, ordinal, result) VALUES ($1, $2, $3)
                ON CONFLICT (job, ordinal) DO UPDATE SET result = excluded.result
                """, lease.item.parameters + [.text(result)])
            try transaction.insertRows(
                "cache (key, digest, part)", entries, suffix: "ON CONFLICT (key) DO NOTHING")
            return try transaction.isQuiet(lease.item.job)
        }
        // With nothing left to run, what waits for everything need not wait for the resolver's next round.
        if isQuiet { _ = try await write { try $0.settle(lease.item.job) } }
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
    fileprivate func isQuiet(_ job: JobID) throws -> Bool {
        try connection.rows(
            "SELECT 1 FROM work_items WHERE job = $1 AND state IN ('ready', 'leased') LIMIT 1",
            [.text(job.rawValue)]
        ).isEmpty
    }
}
