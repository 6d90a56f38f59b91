import QuernFormats
import QuernJobs
import QuernStore

extension SQLJobStore {
    public func fail(_ lease: Lease, _ failure: WorkFailure) async throws {
        try await write { [settings] transaction in
            guard try transaction.lockJob(lease.item.job) != nil else { throw unknownItem(lease) }
            let makers = failure.class == .lostInput ? try transaction.makers(of: failure.blobs, for: lease.item) : []
            try transaction.lockItems(lease.item, andDependentsOf: makers)
            guard let row = try transaction.loadInFull(lease.item) else { throw unknownItem(lease) }
            let context = FailureContext(
                node: try transaction.node(of: lease),
                largestMemory: try transaction.largestMemory(for: row.capability), hasMakers: !makers.isEmpty)
            let mutations = try decide(
                row.life, .failed(lease, failure, context), at: row.now, policy: settings.retry)
            try transaction.save(row, mutations)
            if mutations.contains(.rewindMakers) {
                try transaction.rewind(makers, blobs: failure.blobs, job: lease.item.job)
            }
        }
        database.signal()
    }
}

extension JobTransaction {
    fileprivate func node(of lease: Lease) throws -> String {
        let row = try connection.rows(
            "SELECT node FROM attempts WHERE job = $1 AND ordinal = $2 AND lease_id = $3",
            lease.item.parameters + [.text(lease.id)]
        ).first
        return try row?.text(0) ?? ""
    }

    private func liveMemory(_ capability: Capability) -> String {
        """
        SELECT coalesce(max(memory), 0) FROM sessions
        WHERE ended_at IS NULL AND expires_at > \(dialect.now) AND ',' || stages || ',' LIKE '%,\(capability.name),%'
        """
    }

    fileprivate func largestMemory(for capability: Capability) throws -> Int64 {
        try connection.rows(liveMemory(capability), []).first?.integer(0) ?? 0
    }

    /// Ordinals of the done items, among those that `item` depends on, whose results name one of `blobs`.
    fileprivate func makers(of blobs: [Digest], for item: WorkItemID) throws -> [Int] {
        guard !blobs.isEmpty else { return [] }
        return try inputs(of: [item])[item, default: []].compactMap { input in
            let result = try JSONText.decode(WorkResult.self, from: input.result)
            return result.blobs.contains(where: blobs.contains) ? input.ordinal : nil
        }
    }

    /// Locks all items that a rewind will touch, in the one order.
    fileprivate func lockItems(_ item: WorkItemID, andDependentsOf makers: [Int]) throws {
        guard !makers.isEmpty, !dialect.forUpdateOfI.isEmpty else { return }
        let list = makers.map(String.init).joined(separator: ", ")
        _ = try connection.rows(
            """
            SELECT 1 FROM work_items i WHERE i.job = $1 AND (i.ordinal = $2 OR i.ordinal IN (\(list))
                OR i.ordinal IN (SELECT child FROM item_dependencies WHERE job = $1 AND parent IN (\(list))))
            ORDER BY i.ordinal \(dialect.forUpdateOfI)
            """, item.parameters)
    }

    /// Lets makers of lost blobs be done again, and nobody take the blobs for granted in the meantime.
    fileprivate func rewind(_ makers: [Int], blobs: [Digest], job: JobID) throws {
        for blob in blobs {
            try connection.run("DELETE FROM cache WHERE digest = $1", [.text(blob.hex)])
        }
        for ordinal in makers {
            guard let row = try loadInFull(WorkItemID(job: job, ordinal: ordinal)) else { continue }
            try save(row, try decide(row.life, .rewound, at: row.now, policy: settings.retry))
        }
    }
}
