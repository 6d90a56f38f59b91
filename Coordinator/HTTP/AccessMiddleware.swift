import HTTPTypes
import Hummingbird
import QuernFormats
import QuernJobs
import QuernStore

/// What a request has to show, once there are tokens.
enum AccessNeed: Equatable {
    case scope(AccessScope)
    /// Scope `read`, as it was when the job database was last there: metrics are to tell that it is away.
    case metrics
    /// The token of a lease, for what belongs to its item.
    case lease

    /// - Returns: nil where anybody may make the request. What is not known here is for administrators.
    static func of(_ method: HTTPRequest.Method, path: String) -> AccessNeed? {
        // Joined as the router splits them: `//v1//jobs` is a way to jobs, too.
        let parts = path.split(separator: "/")
        let isReading = method == .get || method == .head
        switch (parts.first, parts.dropFirst().first) {
        case (nil, _), ("healthz", nil), ("readyz", nil), ("openapi.yaml", nil): return nil
        case ("metrics", nil): return .metrics
        case ("v1", "jobs"): return .scope(isReading ? .read : .submit)
        case ("v1", "sessions"), ("v1", "claims"): return .scope(.work)
        case ("v1", "blobs"), ("v1", "leases"), ("v1", "cache"): return .lease
        default: return .scope(.admin)
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

/// Lets in whom `AccessControl` and `LeaseAccess` let in, as often as the limits allow.
struct AccessMiddleware: RouterMiddleware {
    typealias Context = CoordinatorContext

    let access: AccessControl
    let leases: LeaseAccess
    let rates: RequestRates

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        let peer = Caller.address(PeerAddress(context.channel.remoteAddress))
        var caller = peer
        do {
            if let need = AccessNeed.of(request.method, path: request.uri.path) {
                context.lease = try await lease(of: request, need)
                if context.lease == nil,
                    let token = try await access.check(request.headers[.authorization], for: need)
                {
                    caller = .token(token.digest)
                }
            }
        } catch let problem as HTTPProblem where problem.status == 401 {
            if let seconds = rates.refusals.take(peer) {
                throw HTTPProblem.tooManyRequests(
                    "too many requests without a valid token from this address", seconds: seconds)
            }
            throw problem
        }
        if let seconds = rates.requests.take(caller) {
            throw HTTPProblem.tooManyRequests("too many requests at once", seconds: seconds)
        }
        if let lease = context.lease { try await check(request, under: lease) }
        return try await next(request, context)
    }

    /// The lease whose token is shown.
    /// - Returns: nil where there is no such token, or none is asked for.
    private func lease(of request: Request, _ need: AccessNeed) async throws -> Lease? {
        guard need == .lease, let secret = AccessControl.secret(in: request.headers[.authorization]),
            secret.hasPrefix(LeaseToken.prefix), try await access.isClosed
        else { return nil }
        return try await leases.lease(of: secret)
    }

    /// Results say themselves whether they come too late: one that was handed in before may be repeated.
    private func check(_ request: Request, under lease: Lease) async throws {
        let parts = request.uri.path.split(separator: "/")
        guard parts.dropFirst().first != "leases" else { return }
        try await leases.requireHold(lease)
        // Whether a blob is there may be asked before it is stored.
        guard parts.dropFirst().first == "blobs", request.method == .get else { return }
        // As it stands, not decoded: what the route may come to read as another name is refused here.
        guard parts.count == 3, let digest = Digest(hex: parts[2]) else {
            throw QuernError(.usage, "a blob's name is 64 lower-case hexadecimal digits", at: request.uri.path)
        }
        try await leases.requireInput(digest, of: lease, trail: request.headers[.quernTrail])
    }
}

extension HTTPField.Name {
    /// Where the name of a blob comes from that the item of the lease does not name itself.
    fileprivate static let quernTrail = Self("Quern-Trail")!
}
