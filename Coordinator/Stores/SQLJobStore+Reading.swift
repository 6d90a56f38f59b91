import QuernFormats
import QuernJobs

extension SQLJobStore {
    public func job(_ id: JobID) async throws -> JobRecord? {
        try await read { try $0.records(where: "id = $1", [.text(id.rawValue)]) }.first
    }

    public func jobs(limit: Int) async throws -> [JobRecord] {
        try await read { transaction in
            try transaction.records(
                where: "id IN (SELECT id FROM jobs ORDER BY created_at DESC, id DESC LIMIT $1)",
                [.integer(max(limit, 0))])
        }
    }

    public func control(_ id: JobID, _ action: JobAction) async throws {
        try await write { transaction in
            guard let job = try transaction.lockJob(id) else {
                throw QuernError(
                    .notFound, "there is no such job", at: id.rawValue, remedy: "`quern list` shows all jobs")
            }
            try transaction.change(job, .action(action))
        }
        database.signal()
    }

    public func items(of id: JobID) async throws -> [ItemRecord] {
        try await read { transaction in
            let fractions = try transaction.fractions(of: id)
            return try transaction.connection.rows(
                """
                SELECT i.ordinal, i.stage, i.state, p.label, i.attempts, i.last_error, i.lease_id, i.session
                FROM all_work_items i JOIN item_payloads p ON p.job = i.job AND p.ordinal = i.ordinal
                WHERE i.job = $1 ORDER BY i.ordinal
                """, [.text(id.rawValue)]
            ).map { row in
                let state: ItemState = try transaction.decodeState(try row.text(2))
                let holder = try Report(session: row.optionalText(7), lease: row.optionalText(6))
                return ItemRecord(
                    ordinal: try row.int(0), stage: try transaction.decodeCapability(try row.text(1)).stage,
                    state: state,
                    label: try row.text(3), attempts: try row.int(4),
                    fraction: state == .done ? 1 : state == .leased ? fractions[holder] ?? 0 : 0,
                    lastError: try row.optionalText(5))
            }
        }
    }

    public func scheduling(of id: JobID) async throws -> Scheduling {
        try await read { transaction in
            // Others may know of more than this coordinator, in both.
            let needs = try transaction.connection.rows(
                """
                SELECT DISTINCT stage, memory FROM (
                    SELECT stage, memory FROM work_items WHERE job = $1 AND state = 'ready'
                    ORDER BY cost DESC, ordinal LIMIT $2) AS first
                """, [.text(id.rawValue), .integer(Scheduling.itemsLookedAt)]
            ).compactMap { row in
                try Capability(name: try row.text(0)).map { Scheduling.Need($0, memory: try row.integer(1)) }
            }
            let offers = try transaction.connection.rows(
                """
                SELECT stages, max(memory) FROM sessions
                WHERE ended_at IS NULL AND expires_at > \(transaction.dialect.now) GROUP BY stages
                """, []
            ).map { row in
                let capabilities = try row.text(0).split(separator: ",").compactMap { Capability(name: String($0)) }
                return Scheduling.Offer(Set(capabilities), memory: try row.integer(1))
            }
            return Scheduling(needs: Set(needs), offers: offers)
        }
    }

    public func results(of id: JobID, ordinals: [Int]) async throws -> [Int: WorkResult] {
        let atOnce = 500
        let rows = try await read { transaction in
            try stride(from: 0, to: ordinals.count, by: atOnce).flatMap { start in
                let part = ordinals[start..<min(start + atOnce, ordinals.count)]
                return try transaction.connection.rows(
                    """
                    SELECT ordinal, result FROM item_results
                    WHERE job = $1 AND ordinal IN (\(placeholders(part.count, from: 2)))
                    """, [.text(id.rawValue)] + part.map { .integer($0) })
            }
        }
        let results = try rows.map { (try $0.int(0), try JSONText.decode(WorkResult.self, from: try $0.text(1))) }
        return Dictionary(results, uniquingKeysWith: { first, _ in first })
    }

    public func events(of id: JobID, after sequence: Int64) async throws -> [JobEvent] {
        try await read { transaction in
            try transaction.connection.rows(
                """
                SELECT sequence, time, kind, ordinal, message FROM events
                WHERE job = $1 AND sequence > $2 ORDER BY sequence
                """, [.text(id.rawValue), .integer(sequence)]
            ).map { row in
                JobEvent(
                    sequence: try row.integer(0), time: try row.integer(1),
                    kind: try transaction.decodeState(try row.text(2)),
                    ordinal: try row.optionalInteger(3).map { Int($0) }, message: try row.text(4))
            }
        }
    }
}

extension JobTransaction {
    /// Newest first. A job that is done has nothing to count.
    fileprivate func records(where condition: String, _ parameters: [SQLValue]) throws -> [JobRecord] {
        var progress: [String: JobRecord.Progress] = [:]
        // Each of them apart, for SQLite would look through all rows of both.
        let counted = ["work_items", "work_items_history"].map { table in
            """
            SELECT job, state, count(*), CAST(sum(cost) AS bigint) FROM \(table)
            WHERE job IN (SELECT id FROM jobs WHERE \(condition) AND state <> 'done') GROUP BY job, state
            """
        }
        let counts = try connection.rows(counted.joined(separator: " UNION ALL "), parameters)
        for row in counts {
            let (job, state, cost) = (try row.text(0), try row.text(1), try row.integer(3))
            var sums = progress[job] ?? JobRecord.Progress(items: [:], costDone: 0, costTotal: 0)
            sums.items[state, default: 0] += try row.int(2)
            if state == ItemState.done.rawValue { sums.costDone += cost }
            progress[job] = sums
        }
        return try connection.rows(
            """
            SELECT id, name, state, priority, recipe, created_at, finished_at, failure, artifacts, item_count,
                cost_total
            FROM jobs WHERE \(condition) ORDER BY created_at DESC, id DESC
            """, parameters
        ).map { row in
            let state: JobState = try decodeState(try row.text(2))
            let (count, total) = (try row.int(9), try row.integer(10))
            let done = JobRecord.Progress(
                items: count == 0 ? [:] : [ItemState.done.rawValue: count], costDone: total, costTotal: total)
            var sums = state == .done ? done : progress[try row.text(0)] ?? done
            sums.costTotal = total
            return JobRecord(
                id: JobID(rawValue: try row.text(0)), name: try row.text(1), state: state,
                priority: try row.int(3), recipe: try JSONText.decode(Recipe.self, from: try row.text(4)),
                created: try row.integer(5), finished: try row.optionalInteger(6), failure: try row.optionalText(7),
                progress: sums, artifacts: try JSONText.decode([PlannedArtifact].self, from: try row.text(8)))
        }
    }

    /// What workers last reported about items of a job that they hold.
    fileprivate func fractions(of job: JobID) throws -> [Report: Double] {
        let reports = try connection.rows(
            """
            SELECT id, progress FROM sessions
            WHERE id IN (SELECT session FROM work_items WHERE job = $1 AND state = 'leased')
            """, [.text(job.rawValue)]
        ).flatMap { row in
            let session = try row.text(0)
            return try JSONText.decode([HeartbeatReport.Progress].self, from: try row.text(1)).map {
                (Report(session: session, lease: $0.lease.id), $0.fraction)
            }
        }
        return Dictionary(reports, uniquingKeysWith: { first, _ in first })
    }
}

/// Who reported about which lease.
private struct Report: Hashable {
    let session: String?
    let lease: String?
}
