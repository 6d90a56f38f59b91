import QuernFormats
import QuernJobs

extension InMemoryJobStore {
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
