import QuernFormats
import QuernJobs
import QuernStore

/// A result on its way into the database, with its JSON made outside the transaction.
struct CompletionCall: Sendable {
    let lease: Lease
    let result: String
    /// Of the result.
    let digest: String
    /// Rows of the cache, by their key.
    let entries: [String: [SQLValue]]
    /// What is to stay stored.
    let blobs: Set<Digest>
    var continuation: JobContinuation?
    var payloads: [String] = []
    var artifacts = ""
}

enum CompletionAnswer: Sendable {
    /// Done, or done before.
    case recorded
    /// The item is to be locked with all that depends on it first, which only happens to it alone.
    case needsDependents
}

extension SQLJobStore {
    /// Completions that come together share a transaction.
    public func complete(
        _ lease: Lease, _ completion: Completion, continuing continuation: JobContinuation?, keepingBlobs: Bool
    ) async throws {
        try continuation?.validate(of: lease.item.job)
        let result = try JSONText.encode(completion.result)
        var call = CompletionCall(
            lease: lease, result: result, digest: Digest(of: Array(result.utf8)).hex,
            entries: Dictionary(
                try completion.cache.map { entry in
                    let row = [entry.key.hex, entry.part.digest.hex, try JSONText.encode(entry.part)]
                    return (entry.key.hex, row.map(SQLValue.text))
                }, uniquingKeysWith: { first, _ in first }), blobs: keepingBlobs ? completion.blobs : [])
        if let continuation {
            call.continuation = continuation
            call.payloads = try continuation.items.map { try JSONText.encode($0.payload) }
            call.artifacts = try JSONText.encode(continuation.artifacts)
            try await record([call], .withItemsOfJob)
        } else if case .needsDependents = try await completions.answer(to: call, by: recordTogether) {
            try await record([call], .withDependents)
        }
        database.signal()
    }

    @Sendable private func recordTogether(
        _ calls: [CompletionCall]
    ) async throws -> [Result<CompletionAnswer, any Error>] {
        guard calls.count > 1 else { return try await record(calls, .alone) }
        do {
            return try await record(calls, .alone)
        } catch let error as QuernError where error.code != .unavailable {
            // What the database holds against one of them is nothing to the others.
            var answers: [Result<CompletionAnswer, any Error>] = []
            for call in calls {
                do { answers += try await record([call], .alone) } catch { answers.append(.failure(error)) }
            }
            return answers
        }
    }

    @discardableResult
    private func record(
        _ calls: [CompletionCall], _ locking: CompletionLocking
    ) async throws -> [Result<CompletionAnswer, any Error>] {
        let (answers, quiet) = try await write { [running] in try $0.record(calls, locking, running) }
        // With nothing left to run, what waits for everything need not wait for the resolver's next round.
        for job in quiet { _ = try await write { try $0.settle(job) } }
        if calls.count == 1 { _ = try answers[0].get() }
        return answers
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

/// What is locked before completions are recorded.
private enum CompletionLocking {
    /// The items, and what waits for them.
    case alone
    /// The items, and all that depends on them in any way.
    case withDependents
    /// The job with all its items: none is to be done or undone before its new dependents are there to be told.
    case withItemsOfJob
}

extension JobTransaction {
    /// - Returns: an answer to each call, and jobs with nothing left to run.
    fileprivate func record(
        _ calls: [CompletionCall], _ locking: CompletionLocking, _ running: RunningItems
    ) throws -> (answers: [Result<CompletionAnswer, any Error>], quiet: [JobID]) {
        switch locking {
        case .alone: try lockTogether(calls.map(\.lease.item))
        case .withDependents: for call in calls { try lockDependents(of: call.lease.item) }
        case .withItemsOfJob: for call in calls { try lockItems(of: call.lease.item.job) }
        }
        var answers: [Result<CompletionAnswer, any Error>] = []
        var recorded: [CompletionCall] = []
        for call in calls {
            do {
                let answer = try record(call, withDependents: locking != .alone)
                if let answer { recorded += answer ? [call] : [] }
                answers.append(.success(answer == nil ? .needsDependents : .recorded))
            } catch let error as QuernError where error.code == .conflict {
                answers.append(.failure(error))
            } catch let error as UnkeptBlobs {
                answers.append(.failure(error))
            }
        }
        let jobs = Set(recorded.map(\.lease.item.job)).sorted { $0.rawValue < $1.rawValue }
        try insertRows(
            "item_results (job, ordinal, result)", recorded.map { $0.lease.item.parameters + [.text($0.result)] },
            suffix: "ON CONFLICT (job, ordinal) DO UPDATE SET result = excluded.result")
        // In one order, for others add the same ones.
        let entries = Dictionary(recorded.flatMap(\.entries), uniquingKeysWith: { first, _ in first })
        try insertRows(
            "cache (key, digest, part)", entries.sorted { $0.key < $1.key }.map(\.value),
            suffix: "ON CONFLICT (key) DO NOTHING")
        for call in recorded {
            guard let continuation = call.continuation else { continue }
            try add(continuation, to: call.lease.item.job, payloads: call.payloads, artifacts: call.artifacts)
        }
        return (answers, try jobs.filter { try isQuiet($0, running) })
    }

    /// Records that the item is done, all but what came out of it.
    /// - Returns: whether its result is to be kept now; nil, with nothing changed, where it is to be locked with all
    ///   that depends on it.
    private func record(_ call: CompletionCall, withDependents: Bool) throws -> Bool? {
        guard let row = try load(call.lease.item) else { throw unknownItem(call.lease) }
        let mutations = try decide(
            row.life, .completed(call.lease, digest: call.digest), at: row.now, policy: settings.retry)
        guard !mutations.isEmpty else { return false }
        let unkept = call.blobs.subtracting(try keepBlobs(call.blobs))
        guard unkept.isEmpty else { throw UnkeptBlobs(digests: unkept) }
        let rewinds = mutations.contains(.rewindDependents)
        guard withDependents || !rewinds else { return nil }
        try save(row, mutations)
        if rewinds { try rewindDependents(of: call.lease.item) }
        return true
    }

    /// Locks items and what counts down when they are done, in the one order, so that batches do not wait for each
    /// other in a circle.
    private func lockTogether(_ items: [WorkItemID]) throws {
        guard items.count > 1, !dialect.forUpdateOfI.isEmpty else { return }
        for (job, items) in Dictionary(grouping: items, by: \.job).sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let list = (2..<2 + items.count).map { "($1, CAST($\($0) AS bigint))" }.joined(separator: ", ")
            // With the job among the wanted, both columns of the keys find the rows: of a job that is new, the planner
            // may not know that it has many.
            _ = try connection.rows(
                """
                WITH parents (job, ordinal) AS MATERIALIZED (VALUES \(list)),
                wanted AS MATERIALIZED (
                    SELECT job, ordinal, 1 AS itself FROM parents
                    UNION ALL
                    SELECT d.job, d.child, 0 FROM parents p
                    JOIN item_dependencies d ON d.job = p.job AND d.parent = p.ordinal)
                SELECT 1 FROM wanted w JOIN work_items i ON i.job = w.job AND i.ordinal = w.ordinal
                WHERE i.fan_in = 0 OR w.itself = 1 ORDER BY i.ordinal \(dialect.forUpdateOfI)
                """, [.text(job.rawValue)] + items.map { .integer($0.ordinal) })
        }
    }

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

    /// Whether nothing of the job is ready or in work.
    /// - Parameter running: an item that was when somebody last looked mostly still is.
    fileprivate func isQuiet(_ job: JobID, _ running: RunningItems) throws -> Bool {
        if let known = running[job] {
            let rows = try connection.rows(
                "SELECT 1 FROM work_items WHERE job = $1 AND ordinal = $2 AND state IN ('ready', 'leased')",
                WorkItemID(job: job, ordinal: known).parameters)
            if !rows.isEmpty { return false }
        }
        let found = try connection.rows(
            """
            SELECT coalesce(
                \(Self.lastReady(of: "$1")),
                (SELECT w.ordinal FROM work_items w WHERE w.job = $1 AND w.state = 'leased' LIMIT 1))
            """, [.text(job.rawValue)])
        let ordinal = try found.first?.optionalInteger(0)
        running[job] = ordinal.map(Int.init)
        return ordinal == nil
    }
}
