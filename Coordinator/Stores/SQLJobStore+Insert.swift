import QuernFormats
import QuernJobs

extension SQLJobStore {
    public func insert(_ job: NewJob) async throws -> JobID {
        try job.validate()
        let recipe = try JSONText.encode(job.recipe)
        let artifacts = try JSONText.encode(job.artifacts)
        let payloads = try job.items.map { try JSONText.encode($0.payload) }

        let inserted = try await write { transaction in
            guard try transaction.insertRow(of: job, recipe: recipe, artifacts: artifacts) else { return false }
            try transaction.insertItems(job.items, of: job.id, payloads: payloads)
            try transaction.announce(job.id, .submitted, nil, job.name)
            return true
        }
        if inserted {
            database.signal()
            return job.id
        }
        return try await read { transaction in
            let earlier = try transaction.connection.rows(
                "SELECT id FROM jobs WHERE id = $1 OR idempotency_key = $2",
                [.text(job.id.rawValue), .optional(job.idempotencyKey)])
            guard let row = earlier.first else {
                throw QuernError(.internalFault, "a job was neither stored nor there before", at: job.id.rawValue)
            }
            return JobID(rawValue: try row.text(0))
        }
    }
}

extension JobTransaction {
    /// - Returns: false where the job, or another with its idempotency key, is there already.
    fileprivate func insertRow(of job: NewJob, recipe: String, artifacts: String) throws -> Bool {
        let total = job.items.reduce(Int64(0)) { $0 + $1.cost }
        let added = try connection.run(
            """
            INSERT INTO jobs (id, name, state, priority, recipe, artifacts, idempotency_key, item_count, cost_total,
                last_event, created_at)
            VALUES ($1, $2, 'running', $3, $4, $5, $6, $7, $8, 0, \(dialect.now)) ON CONFLICT DO NOTHING
            """,
            [
                .text(job.id.rawValue), .text(job.name), .integer(job.priority), .text(recipe), .text(artifacts),
                .optional(job.idempotencyKey), .integer(job.items.count), .integer(total),
            ])
        guard added == 1 else { return false }
        try connection.run(
            "INSERT INTO job_shares (job, virtual_time) VALUES ($1, 0)", [.text(job.id.rawValue)])
        try rejoinShare(job.id)
        return true
    }

    /// Adds what a job goes on with, whose items are all locked; unless it is there already.
    func add(_ continuation: JobContinuation, to id: JobID, payloads: [String], artifacts: String) throws {
        let counted = try connection.rows("SELECT item_count FROM jobs WHERE id = $1", [.text(id.rawValue)])
        guard try counted.first?.int(0) == continuation.firstOrdinal else { return }
        let done = try connection.rows(
            "SELECT ordinal FROM work_items WHERE job = $1 AND state = 'done'", [.text(id.rawValue)]
        ).map { try $0.int(0) }
        try insertItems(
            continuation.items, of: id, firstOrdinal: continuation.firstOrdinal, done: Set(done), payloads: payloads)
        try connection.run(
            "UPDATE jobs SET item_count = item_count + $2, cost_total = cost_total + $3, artifacts = $4 WHERE id = $1",
            [
                .text(id.rawValue), .integer(continuation.items.count),
                .integer(continuation.items.reduce(Int64(0)) { $0 + $1.cost }), .text(artifacts),
            ])
    }

    /// - Parameter done: ordinals of items that nothing need wait for any more.
    fileprivate func insertItems(
        _ planned: [PlannedItem], of job: JobID, firstOrdinal: Int = 0, done: Set<Int> = [], payloads: [String]
    ) throws {
        let id = SQLValue.text(job.rawValue)
        var items: [[SQLValue]] = []
        var texts: [[SQLValue]] = []
        var edges: [[SQLValue]] = []
        for (index, item) in planned.enumerated() {
            let ordinal = firstOrdinal + index
            let dependencies = Set(item.dependencies).sorted()
            let left = dependencies.count { !done.contains($0) }
            let isFanIn = dependencies.count > settings.largestCountedFanIn
            let state = left == 0 ? ItemState.ready : .blocked
            items.append([
                id, .integer(ordinal), .text(item.payload.capability.name), .text(state.rawValue),
                .integer(item.cost), .integer(item.memory), .integer(isFanIn ? 1 : 0),
                .integer(isFanIn ? 0 : left),
            ])
            texts.append([id, .integer(ordinal), .text(item.label), .text(payloads[index])])
            for parent in dependencies { edges.append([id, .integer(ordinal), .integer(parent)]) }
        }
        try insertRows(
            "work_items (job, ordinal, stage, state, cost, memory, fan_in, dependencies_left)", items)
        try insertRows("item_payloads (job, ordinal, label, payload)", texts)
        try insertRows("item_dependencies (job, child, parent)", edges)
    }

    /// Inserts rows of equal length, many with each statement.
    func insertRows(_ target: String, _ rows: [[SQLValue]], suffix: String = "") throws {
        // Parameters have names, which SQLite looks for one by one.
        let atOnce = max(1, 400 / (rows.first?.count ?? 1))
        for start in stride(from: 0, to: rows.count, by: atOnce) {
            let part = rows[start..<min(start + atOnce, rows.count)]
            let values = placeholders(rows: part.count, columns: rows[start].count)
            try connection.run("INSERT INTO \(target) VALUES \(values) \(suffix)", part.flatMap(\.self))
        }
    }
}
