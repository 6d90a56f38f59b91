import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// How often callers may call, and how much they may send.
@Suite struct RateLimitTests {
    /// One in a thousand seconds: what comes back while a test runs does not count.
    private func few(requests: Double = 1e6, refusals: Double = 1e6) -> RequestLimits {
        var limits = RequestLimits()
        (limits.requestsPerSecond, limits.burst) = (1e-3, requests)
        (limits.refusalsPerSecond, limits.refusalBurst) = (1e-3, refusals)
        return limits
    }

    @Test func everyTokenHasARateOfItsOwn() async throws {
        let rig = try await ServiceRig.make()
        let tokens = try ["a", "b"].map { try NewAccessToken(name: $0, scopes: [.read]) }
        for token in tokens { try await rig.store.insertToken(token) }
        try await rig.route(limits: few(requests: 3)) { client in
            for token in tokens {
                let headers: HTTPFields = [.authorization: "Bearer \(token.secret)"]
                for _ in 0..<3 {
                    #expect(try await client.execute(uri: "/v1/jobs", method: .get, headers: headers).status == .ok)
                }
                let response = try await client.execute(uri: "/v1/jobs", method: .get, headers: headers)
                let problem = try response.problem(429)
                #expect(problem.code == .unavailable && problem.detail == "too many requests at once")
                let seconds = try #require(response.headers[.retryAfter].flatMap { Int($0) })
                #expect((900...1000).contains(seconds))
            }
            // What asks for no token counts for the address.
            for _ in 0..<3 { #expect(try await client.execute(uri: "/healthz", method: .get).status == .ok) }
            _ = try await client.execute(uri: "/healthz", method: .get).problem(429)
        }
    }

    @Test func whoGuessesTokensIsPutOff() async throws {
        let rig = try await ServiceRig.make()
        let token = try NewAccessToken(name: "t", scopes: [.read])
        try await rig.store.insertToken(token)
        try await rig.route(limits: few(refusals: 3)) { client in
            func status(_ secret: String?) async throws -> Int {
                let headers: HTTPFields = secret.map { [.authorization: "Bearer \($0)"] } ?? [:]
                return try await client.execute(uri: "/v1/jobs", method: .get, headers: headers).status.code
            }
            // Who has a token may come from the same address.
            for (secret, expected) in [
                ("guess", 401), (nil, 401), ("another", 401), ("more", 429), ("more", 429), (token.secret, 200),
                (token.secret, 200), (token.secret, 200), (token.secret, 200), (nil, 429), (token.secret, 200),
            ] {
                let found = try await status(secret)
                #expect(found == expected, "\(secret ?? "none")")
            }
        }
    }

    /// Two thousand workers behind one address with one token: they open sessions, claim, and begin.
    @Test func aCrowdOfWorkersIsNotHindered() async throws {
        let rig = try await ServiceRig.make()
        let token = try NewAccessToken(name: "workers", scopes: [.work])
        try await rig.store.insertToken(token)
        try await rig.route(limits: RequestLimits()) { client in
            let headers: HTTPFields = [.authorization: "Bearer \(token.secret)"]
            for _ in 0..<10_000 {
                let response = try await client.execute(uri: "/v1/claims", method: .get, headers: headers)
                guard response.status == .methodNotAllowed else {
                    Issue.record("\(response.status)")
                    return
                }
            }
        }
    }

    /// The client waits for as long as it is told, and its call succeeds.
    @Test func clientsHonourRetryAfter() async throws {
        let rig = try await ServiceRig.make()
        var limits = RequestLimits()
        (limits.requestsPerSecond, limits.burst) = (2, 1)
        let server = try CoordinatorServer(coordinator: rig.coordinator, listen: "127.0.0.1:0", limits: limits)
        try await rig.serve(with: server) { port in
            let client = try CoordinatorClient(url: "http://127.0.0.1:\(port)")
            for _ in 0..<3 { #expect(try await client.jobs(limit: 1).isEmpty) }
            let blobs = try HTTPBlobStore(url: client.url)
            let digest = try await blobs.put([1, 2, 3])
            #expect(try await blobs.get(digest) == [1, 2, 3])
        }
        // Nobody waits for a quarter of an hour.
        let patient = try CoordinatorServer(
            coordinator: rig.coordinator, listen: "127.0.0.1:0", limits: few(requests: 1))
        try await rig.serve(with: patient) { port in
            let client = try CoordinatorClient(url: "http://127.0.0.1:\(port)")
            _ = try await client.jobs(limit: 1)
            let error = await #expect(throws: QuernError.self) { try await client.jobs(limit: 1) }
            #expect(error?.code == .unavailable && error?.remedy.contains("Retry-After") == true)
        }
    }

    @Test(arguments: [
        (HTTPRequest.Method.post, "/v1/sessions", 64 << 10), (.post, "/v1/claims", 64 << 10),
        (.post, "/v1/sessions/x/heartbeat", 1 << 20), (.post, "/v1/leases/x/fail", 1 << 20),
        (.post, "/v1/leases/x/release", 64 << 10), (.post, "/v1/cache/lookup", 4 << 20),
        (.post, "/v1/jobs/x/cancel", 64 << 10), (.delete, "/v1/sessions/x", 64 << 10), (.get, "/v1/jobs", 64 << 10),
        (.post, "/v1/leases/x/complete", 16 << 20), (.post, "/v1/jobs", 16 << 20),
    ]) func bodiesHaveALimit(method: HTTPRequest.Method, path: String, limit: Int) async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            let headers: HTTPFields = [.contentType: "application/json"]
            let most = ByteBuffer(repeating: UInt8(ascii: "x"), count: limit)
            let within = try await client.execute(uri: path, method: method, headers: headers, body: most)
            #expect(within.status != .contentTooLarge)
            let more = ByteBuffer(repeating: UInt8(ascii: "x"), count: limit + 1)
            let beyond = try await client.execute(uri: path, method: method, headers: headers, body: more)
            let problem = try beyond.problem(413)
            #expect(problem.detail.contains("\(limit) bytes"))
        }
    }
}
