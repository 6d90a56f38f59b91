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
    func check(_ authorization: String?, for scope: AccessScope) async throws -> AccessToken? {
        let tokens = try await tokens()
        guard !tokens.isEmpty else { return nil }
        guard let secret = Self.secret(in: authorization) else {
            throw Self.refusal(401, "a token is needed", remedy: "Set QUERN_TOKEN or QUERN_TOKEN_FILE")
        }
        guard let token = tokens[NewAccessToken.digest(of: secret)], token.isValid else {
            throw Self.refusal(
                401, "the token is not known, has expired or was revoked", remedy: "Ask for one: quern token create")
        }
        guard token.scopes.contains(scope) || token.scopes.contains(.admin) else {
            throw Self.refusal(
                403, "the token '\(token.name)' is not for this: it lacks the scope '\(scope.rawValue)'",
                remedy: "Use a token that has it")
        }
        return token
    }

    private func tokens() async throws -> [Digest: AccessToken] {
        if let known, known.read.duration(to: .now) < Self.shelfLife { return known.tokens }
        let read = ContinuousClock.now
        let tokens = Dictionary(try await store.tokens().map { ($0.digest, $0) }) { first, _ in first }
        known = Known(tokens: tokens, read: read)
        return tokens
    }

    private static func secret(in authorization: String?) -> String? {
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

extension AccessScope {
    /// What a request needs; nil where anybody may make it. What is not known here is for administrators.
    static func needed(for method: HTTPRequest.Method, path: String) -> AccessScope? {
        // Joined as the router splits them: `//v1//jobs` is a way to jobs, too.
        let parts = path.split(separator: "/")
        let isReading = method == .get || method == .head
        switch (parts.first, parts.dropFirst().first) {
        case (nil, _), ("healthz", nil), ("readyz", nil), ("openapi.yaml", nil): return nil
        case ("metrics", nil): return .read
        case ("v1", "jobs"): return isReading ? .read : .submit
        case ("v1", "blobs"), ("v1", "sessions"), ("v1", "claims"), ("v1", "leases"), ("v1", "cache"): return .work
        default: return .admin
        }
    }
}

/// How often callers may call.
struct RequestRates: Sendable {
    let requests: RateLimiter
    let refusals: RateLimiter

    init(_ limits: RequestLimits) {
        requests = RateLimiter(rate: limits.requestsPerSecond, burst: limits.burst)
        refusals = RateLimiter(rate: limits.refusalsPerSecond, burst: limits.refusalBurst)
    }
}

/// Lets in whom `AccessControl` lets in, as often as the limits allow.
struct AccessMiddleware: RouterMiddleware {
    typealias Context = CoordinatorContext

    let access: AccessControl
    let rates: RequestRates

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let token = try await token(of: request, context)
        let caller: Caller = token.map { .token($0.digest) } ?? .address(PeerAddress(context.channel.remoteAddress))
        if let seconds = rates.requests.take(caller) {
            throw HTTPProblem.tooManyRequests("too many requests at once", seconds: seconds)
        }
        return try await next(request, context)
    }

    private func token(of request: Request, _ context: Context) async throws -> AccessToken? {
        guard let scope = AccessScope.needed(for: request.method, path: request.uri.path) else { return nil }
        do {
            return try await access.check(request.headers[.authorization], for: scope)
        } catch let problem as HTTPProblem where problem.status == 401 {
            let peer = PeerAddress(context.channel.remoteAddress)
            if let seconds = rates.refusals.take(.address(peer)) {
                throw HTTPProblem.tooManyRequests(
                    "too many requests without a valid token from this address", seconds: seconds)
            }
            throw problem
        }
    }
}
