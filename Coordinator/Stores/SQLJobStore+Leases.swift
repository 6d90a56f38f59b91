import QuernFormats
import QuernJobs
import QuernStore

/// What tokens of leases stand on.
extension SQLJobStore {
    public func leaseSecret() async throws -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let random: [UInt8] = (0..<MessageAuthentication.keyBytes).map { _ in generator.next() }
        let fresh = Digest(of: random).hex
        let kept = try await write { transaction in
            try transaction.connection.run(
                "INSERT INTO secrets (name, value) VALUES ('lease', $1) ON CONFLICT (name) DO NOTHING", [.text(fresh)])
            return try transaction.connection.rows("SELECT value FROM secrets WHERE name = 'lease'", []).first?.text(0)
        }
        guard let kept, let secret = Digest(hex: kept) else {
            throw QuernError(.corrupted, "the secret of the job database is damaged", at: "secrets")
        }
        return secret.bytes
    }

    public func holds(_ lease: Lease) async throws -> Bool {
        let row = try await read { transaction in
            try transaction.connection.rows(
                "SELECT state, fence, lease_id FROM all_work_items WHERE job = $1 AND ordinal = $2",
                lease.item.parameters
            ).first.map { (try $0.text(0), try $0.integer(1), try $0.optionalText(2)) }
        }
        guard let row, let state = ItemState(rawValue: row.0) else { return false }
        return lease.counts(state: state, fence: row.1, leaseID: row.2)
    }

    public func blobsNamed(by item: WorkItemID) async throws -> Set<Digest> {
        let texts = try await read { transaction in
            try [transaction.payloads(of: [item])[item]].compactMap(\.self)
                + (transaction.inputs(of: [item], by: "all_item_dependencies")[item] ?? []).map(\.result)
        }
        return texts.reduce(into: []) { $0.formUnion(Digest.named(in: $1.utf8)) }
    }
}
