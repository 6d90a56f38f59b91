import HTTPTypes
import QuernFormats
import QuernJobs
import QuernStore

/// What the holder of a lease may reach: blobs that its item names, what it looks up, and room for what it makes.
///
/// Every call asks the job store whether the lease still holds; nothing is written, so that any coordinator can answer.
actor LeaseAccess {
    private let store: any JobStore
    private let blobs: any BlobStore
    private var secret: [UInt8]?
    /// Blobs that items name, by lease. They do not change while it holds.
    private var named: [String: Set<Digest>] = [:]
    /// Blobs that are named in the text of a blob.
    private var listed: [Digest: Set<Digest>] = [:]

    private static let mostLeases = 8192
    private static let mostLists = 64
    /// Most bytes of a blob that is searched for names of others.
    private static let largestList = 16 << 20
    private static let longestTrail = 8

    init(store: any JobStore, blobs: any BlobStore) {
        self.store = store
        self.blobs = blobs
    }

    /// - Throws: what the store throws.
    func token(for lease: Lease) async throws -> String {
        LeaseToken.make(for: lease, secret: try await key())
    }

    /// The lease that a token was made for, whether it holds or not.
    /// - Throws: 401 where the token is none of ours.
    func lease(of token: String) async throws -> Lease {
        guard let lease = LeaseToken.lease(of: token, secret: try await key()) else {
            throw HTTPProblem(
                error: QuernError(
                    .unauthorized, "the token of the lease is not valid", at: "Authorization",
                    remedy: "Use the one that came with the claim"),
                status: 401, headers: [.wwwAuthenticate: "Bearer realm=\"quern\""])
        }
        return lease
    }

    /// - Throws: 409 where the lease was lost.
    func requireHold(_ lease: Lease) async throws {
        guard try await store.holds(lease) else {
            throw QuernError(
                .conflict, "the lease does not hold any more", at: "\(lease.item.job)/\(lease.item.ordinal)",
                remedy: "Drop the item")
        }
    }

    /// - Parameter trail: where the blob's name comes from, if the item does not name it itself: input hashes that
    ///   were looked up (`key:`), and blobs that name others (`blob:`), one after the other.
    /// - Throws: 403 where the item has nothing to do with the blob.
    func requireInput(_ digest: Digest, of lease: Lease, trail: String?) async throws {
        var open = try await blobs(namedBy: lease)
        if open.contains(digest) { return }
        let steps = trail?.split(separator: ",") ?? []
        for step in steps.prefix(Self.longestTrail) {
            guard let colon = step.firstIndex(of: ":"), let name = Digest(hex: step[step.index(after: colon)...])
            else { break }
            switch step[..<colon] {
            case "key":
                if let part = try await store.lookUp([name])[name] { open.insert(part.digest) }
            case "blob":
                guard open.contains(name) else { break }
                open.formUnion(try await blobs(listedIn: name))
            default: break
            }
            if open.contains(digest) { return }
        }
        throw HTTPProblem(
            error: QuernError(
                .unauthorized, "the item of this lease does not name the blob", at: digest.hex,
                remedy: "Ask for what the claim names, or what its look-ups have found"),
            status: 403)
    }

    private func blobs(namedBy lease: Lease) async throws -> Set<Digest> {
        if let known = named[lease.id] { return known }
        let found = try await store.blobsNamed(by: lease.item)
        if named.count >= Self.mostLeases { named.removeAll() }
        named[lease.id] = found
        return found
    }

    private func blobs(listedIn digest: Digest) async throws -> Set<Digest> {
        if let known = listed[digest] { return known }
        let bytes = try await blobs.get(digest)
        let found = bytes.count <= Self.largestList ? Digest.named(in: bytes) : []
        if listed.count >= Self.mostLists { listed.removeAll() }
        listed[digest] = found
        return found
    }

    private func key() async throws -> [UInt8] {
        if let secret { return secret }
        let read = try await store.leaseSecret()
        secret = read
        return read
    }
}
