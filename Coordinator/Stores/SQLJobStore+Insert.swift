import QuernFormats
import QuernJobs

extension SQLJobStore {
    public func insert(_ job: NewJob) async throws -> JobID {
        try job.validate()
        let recipe = try JSONText.encode(job.recipe)
        let artifacts = try JSONText.encode(job.artifacts)
        let payloads = try job.items.map { try JSONText.encode($0.payload) }
        let largestCountedFanIn = settings.largestCountedFanIn

        let inserted = try await write { transaction in
            guard try transaction.insertRow(of: job, recipe: recipe, artifacts: artifacts) else { return false }
            try transaction.insertItems(of: job, payloads: payloads, largestCountedFanIn: largestCountedFanIn)
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

    fileprivate func insertItems(of job: NewJob, payloads: [String], largestCountedFanIn: Int) throws {
        let id = SQLValue.text(job.id.rawValue)
        var items: [[SQLValue]] = []
        var texts: [[SQLValue]] = []
        var edges: [[SQLValue]] = []
        for (ordinal, item) in job.items.enumerated() {
            let dependencies = Set(item.dependencies).sorted()
            let isFanIn = dependencies.count > largestCountedFanIn
            let state = dependencies.isEmpty ? ItemState.ready : .blocked
            items.append([
                id, .integer(ordinal), .text(item.payload.stage.rawValue), .text(state.rawValue),
                .integer(item.cost), .integer(item.memory), .integer(isFanIn ? 1 : 0),
                .integer(isFanIn ? 0 : dependencies.count),
            ])
            texts.append([id, .integer(ordinal), .text(item.label), .text(payloads[ordinal])])
            for parent in dependencies { edges.append([id, .integer(ordinal), .integer(parent)]) }
        }
        try insertRows(
            "work_items (job, ordinal, stage, state, cost, memory, fan_in, dependencies_left)", items)
        try insertRows("item_payloads (job, ordinal, label, payload)", texts)
        try insertRows("item_dependencies (job, child, parent)", edges)
    }

    /// Inserts rows of equal length, many with each statement.
    func insertRows(_ target: String, _ rows: [[SQLValue]], suffix: String = "") throws {
        let atOnce = 500
        for start in stride(from: 0, to: rows.count, by: atOnce) {
            let part = rows[start..<min(start + atOnce, rows.count)]
            let values = placeholders(rows: part.count, columns: rows[start].count)
            try connection.run("INSERT INTO \(target) VALUES \(values) \(suffix)", part.flatMap(\.self))
        }
    }
}
