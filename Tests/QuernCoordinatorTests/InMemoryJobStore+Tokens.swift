import Foundation
import QuernFormats
import QuernJobs
import QuernStore

extension InMemoryJobStore {
    func leaseSecret() -> [UInt8] { [UInt8](repeating: 7, count: 32) }

    func holds(_ lease: Lease) -> Bool {
        guard let life = jobs[lease.item.job]?.items[safe: lease.item.ordinal]?.life else { return false }
        return lease.counts(state: life.state, fence: life.fence, leaseID: life.leaseID)
    }

    func blobsNamed(by item: WorkItemID) throws -> Set<Digest> {
        guard let job = jobs[item.job], let own = job.items[safe: item.ordinal] else { return [] }
        let encoder = JSONEncoder()
        let texts =
            try [encoder.encode(own.plan.payload)]
            + own.dependencies.compactMap { job.items[$0].result }.map { try encoder.encode($0) }
        return texts.reduce(into: []) { $0.formUnion(Digest.named(in: $1)) }
    }

    func insertToken(_ token: NewAccessToken) throws {
        guard accessTokens[token.name] == nil else { throw QuernError(.conflict, "taken", at: token.name) }
        let made = AccessToken(
            name: token.name, digest: token.digest, scopes: token.scopes, created: now,
            expires: token.lifetime.map { now + $0.components.seconds * 1000 }, isValid: true)
        accessTokens[token.name] = (made, false)
    }

    func tokens() -> [AccessToken] {
        accessTokens.values.map { token, isRevoked in
            AccessToken(
                name: token.name, digest: token.digest, scopes: token.scopes, created: token.created,
                expires: token.expires, isValid: !isRevoked && token.expires.map { $0 > now } ?? true)
        }.sorted { $0.name < $1.name }
    }

    func revokeToken(named name: String) throws {
        guard accessTokens[name] != nil else { throw QuernError(.notFound, "none", at: name) }
        accessTokens[name]?.isRevoked = true
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
