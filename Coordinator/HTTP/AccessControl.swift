import HTTPTypes
import Hummingbird
import QuernFormats
import QuernJobs
import QuernStore

/// Who may call what: everybody everything as long as no token was ever made, then those who show one, within its scopes.
public actor AccessControl {
    private struct Known {
        let tokens: [Digest: AccessToken]
        let read: ContinuousClock.Instant
    }

    private let store: any TokenStore
    private var known: Known?

    /// How long a revoked token may still be taken.
    static let shelfLife = Duration.seconds(5)

    public init(store: any TokenStore) { self.store = store }

    /// Whether tokens are asked for.
    /// - Throws: what the store throws.
    public var isClosed: Bool {
        get async throws { try await !tokens().isEmpty }
    }

    /// - Parameter authorization: the request's header.
    /// - Returns: the token that was shown; nil where none is asked for.
    /// - Throws: 401 where no valid token is shown, 403 where it is not for this; what the store throws.
    func check(_ authorization: String?, for need: AccessNeed) async throws -> AccessToken? {
        let tokens = try await need == .metrics ? lastTokens() : tokens()
        guard !tokens.isEmpty else { return nil }
        guard let secret = Self.secret(in: authorization) else {
            throw Self.refusal(401, "a token is needed", remedy: "Set QUERN_TOKEN or QUERN_TOKEN_FILE")
        }
        guard let token = tokens[NewAccessToken.digest(of: secret)], token.isValid else {
            throw Self.refusal(
                401, "the token is not known, has expired or was revoked", remedy: "Ask for one: quern token create")
        }
        if token.scopes.contains(.admin) { return token }
        switch need {
        case .scope(let scope): try Self.require(scope, of: token)
        case .metrics: try Self.require(.read, of: token)
        case .lease:
            throw Self.refusal(
                403, "the token '\(token.name)' is not for this: it takes the token of a lease",
                remedy: "Use the one that came with the claim")
        }
        return token
    }

    private static func require(_ scope: AccessScope, of token: AccessToken) throws {
        guard token.scopes.contains(scope) else {
            throw refusal(
                403, "the token '\(token.name)' is not for this: it lacks the scope '\(scope.rawValue)'",
                remedy: "Use a token that has it")
        }
    }

    /// Those that were known last, where the store does not tell.
    private func lastTokens() async throws -> [Digest: AccessToken] {
        do { return try await tokens() } catch {
            guard let known else { throw error }
            return known.tokens
        }
    }

    private func tokens() async throws -> [Digest: AccessToken] {
        if let known, known.read.duration(to: .now) < Self.shelfLife { return known.tokens }
        let read = ContinuousClock.now
        let tokens = Dictionary(try await store.tokens().map { ($0.digest, $0) }) { first, _ in first }
        known = Known(tokens: tokens, read: read)
        return tokens
    }

    static func secret(in authorization: String?) -> String? {
        guard let parts = authorization?.split(separator: " "), parts.count == 2, parts[0].lowercased() == "bearer"
        else { return nil }
        return String(parts[1])
    }

    private static func refusal(_ status: Int, _ message: String, remedy: String) -> HTTPProblem {
        HTTPProblem(
            error: QuernError(.unauthorized, message, at: "Authorization", remedy: remedy), status: status,
            headers: status == 401 ? [.wwwAuthenticate: "Bearer realm=\"quern\""] : [:])
    }
}
