import QuernJobs

/// Which items are claimed.
extension JobTransaction {
    /// Among so many jobs at least, the one that has had least is found although not all of that is written down.
    private static var jobsLookedAt: Int { 32 }

    /// Priority classes first, then the job that has had least, its largest items first.
    func pick(
        for seats: [Seat], _ ability: Ability, _ memory: inout ClaimMemory
    ) throws -> [(seat: Seat, item: PickedItem)] {
        let fits = "AND r.not_before <= \(dialect.now) AND r.memory <= $1 AND r.stage IN (\(ability.capabilities))"
        let jobs = try connection.rows(
            """
            SELECT j.id, j.priority, s.virtual_time FROM jobs j JOIN job_shares s ON s.job = j.id
            WHERE j.state = 'running' AND \(Self.lastReady(of: "j.id", fits)) IS NOT NULL
            ORDER BY j.priority DESC, s.virtual_time, j.created_at, j.id LIMIT $2
            """, [.integer(ability.memory), .integer(max(seats.count, Self.jobsLookedAt))]
        ).map { row in
            let job = JobID(rawValue: try row.text(0))
            let time = try row.integer(2) + (memory.unwrittenShares[job] ?? 0)
            return (job: job, priority: try row.integer(1), time: time)
        }
        // Those that are level stay in the order they have.
        let order = jobs.enumerated().sorted {
            ($1.element.priority, $0.element.time, $0.offset) < ($0.element.priority, $1.element.time, $1.offset)
        }
        var picked: [(seat: Seat, item: PickedItem)] = []
        for (_, next) in order where picked.count < seats.count {
            picked += try pick(from: next.job, for: Array(seats[picked.count...]), ability, &memory)
        }
        return picked
    }

    /// Goes on where claims left off, and looks from the front where that is not enough.
    private func pick(
        from job: JobID, for seats: [Seat], _ ability: Ability, _ memory: inout ClaimMemory
    ) throws -> [(seat: Seat, item: PickedItem)] {
        let place = memory.place(in: job, for: ability)
        let ranges: [ReadyRange] = place.map { [.level(after: $0), .below(cost: $0.cost), .all] } ?? [.all]
        var picked: [(seat: Seat, item: PickedItem)] = []
        for range in ranges where picked.count < seats.count {
            let items = try pick(range, of: job, for: Array(seats[picked.count...]), ability)
            picked += items
            guard let last = items.last?.item else { continue }
            memory.leaveOff(at: .init(cost: last.cost, ordinal: last.lease.item.ordinal), in: job, for: ability)
        }
        return picked
    }

    /// The CTE is materialized because a plain sub-select may be planned into a loop that claims too many, and has the
    /// job in it because both columns of the primary key are to find the rows: of a job that is new, the planner may
    /// not know that it has many. It looks at the job again, for one that has ended since may be about to move to
    /// history.
    private func pick(
        _ range: ReadyRange, of job: JobID, for seats: [Seat], _ ability: Ability
    ) throws -> [(seat: Seat, item: PickedItem)] {
        let first = 6
        let (condition, bounds) = range.condition(from: first + seats.count)
        let rows = try connection.rows(
            """
            WITH picked AS MATERIALIZED (
                SELECT job, ordinal, cost FROM work_items
                WHERE job = $1 AND state = 'ready' AND not_before <= \(dialect.now) AND memory <= $2
                    AND stage IN (\(ability.capabilities)) \(condition)
                    AND EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND jobs.state = 'running')
                ORDER BY cost DESC, ordinal LIMIT $3 \(dialect.forUpdateSkipLocked)),
            numbered AS (
                SELECT job, ordinal, row_number() OVER (ORDER BY cost DESC, ordinal) AS number FROM picked),
            seats (number, session) AS (VALUES \(numberedPlaceholders(seats.count, from: first))),
            seated AS MATERIALIZED (
                SELECT job, ordinal, session FROM numbered JOIN seats ON seats.number = numbered.number)
            UPDATE work_items SET state = 'leased', fence = fence + 1, lease_id = \(dialect.randomID),
                session = seated.session, attempts = attempts + 1, claimed_at = \(dialect.now),
                deadline_at = \(dialect.now) + $4 + cost * 1000 / $5
            FROM seated WHERE work_items.job = seated.job AND work_items.ordinal = seated.ordinal
            RETURNING work_items.ordinal, fence, lease_id, attempts, cost
            """,
            [
                .text(job.rawValue), .integer(ability.memory), .integer(seats.count),
                .integer(settings.shortestDeadline), .integer(settings.slowestBytesPerSecond),
            ] + seats.map { .text($0.session.rawValue) } + bounds)
        let items = try rows.map { row in
            let item = WorkItemID(job: job, ordinal: try row.int(0))
            return PickedItem(
                lease: Lease(item: item, id: try row.text(2), fence: try row.integer(1)), attempt: try row.int(3),
                cost: try row.integer(4))
        }.sorted { ($1.cost, $0.lease.item.ordinal) < ($0.cost, $1.lease.item.ordinal) }
        return Array(zip(seats, items))
    }
}

/// A part of the ready items of a job that an index finds without passing the others.
private enum ReadyRange {
    case all
    /// Those as large as the place, after it.
    case level(after: ClaimMemory.Place)
    case below(cost: Int64)

    /// - Parameter number: of the first free parameter.
    func condition(from number: Int) -> (sql: String, values: [SQLValue]) {
        switch self {
        case .all: ("", [])
        case .level(let place):
            ("AND cost = $\(number) AND ordinal > $\(number + 1)", [.integer(place.cost), .integer(place.ordinal)])
        case .below(let cost): ("AND cost < $\(number)", [.integer(cost)])
        }
    }
}

/// `(1, $6), (2, $7)`: `count` parameters from `first` on, each with its number.
private func numberedPlaceholders(_ count: Int, from first: Int) -> String {
    (0..<count).map { "(\($0 + 1), $\(first + $0))" }.joined(separator: ", ")
}
