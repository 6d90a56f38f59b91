import QuernFormats
import QuernJobs
import QuernStore

extension SQLJobStore {
    public func insertToken(_ token: NewAccessToken) async throws {
        let scopes = token.scopes.map(\.rawValue).sorted().joined(separator: ",")
        try await write { transaction in
            let now = transaction.dialect.now
            let lifetime = token.lifetime.map { SQLValue.integer($0.milliseconds) } ?? .null
            let inserted = try transaction.connection.run(
                """
                INSERT INTO access_tokens (name, digest, scopes, created_at, expires_at)
                VALUES ($1, $2, $3, \(now), \(now) + CAST($4 AS bigint)) ON CONFLICT (name) DO NOTHING
                """, [.text(token.name), .text(token.digest.hex), .text(scopes), lifetime])
            guard inserted == 1 else {
                throw QuernError(
                    .conflict, "there is a token of this name, or was one", at: token.name,
                    remedy: "Choose another name")
            }
        }
    }

    public func tokens() async throws -> [AccessToken] {
        try await read { transaction in
            let now = transaction.dialect.now
            return try transaction.connection.rows(
                """
                SELECT name, digest, scopes, created_at, expires_at,
                    CASE WHEN revoked_at IS NULL AND (expires_at IS NULL OR expires_at > \(now)) THEN 1 ELSE 0 END
                FROM access_tokens ORDER BY name
                """, []
            ).map { row in
                guard let digest = Digest(hex: try row.text(1)) else {
                    throw QuernError(.corrupted, "a token of the job database has no digest", at: try row.text(0))
                }
                return AccessToken(
                    name: try row.text(0), digest: digest, scopes: try AccessScope.parse(try row.text(2)),
                    created: try row.integer(3), expires: try row.optionalInteger(4), isValid: try row.int(5) == 1)
            }
        }
    }

    public func revokeToken(named name: String) async throws {
        try await write { transaction in
            let revoked = try transaction.connection.run(
                """
                UPDATE access_tokens SET revoked_at = coalesce(revoked_at, \(transaction.dialect.now)) WHERE name = $1
                """, [.text(name)])
            guard revoked == 1 else {
                throw QuernError(.notFound, "there is no token of this name", at: name, remedy: "See quern token list")
            }
        }
    }
}
