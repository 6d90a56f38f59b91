import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Testing

@Suite struct AccessTests {
    @Test(arguments: StoreKind.allCases)
    func tokensAreKept(_ kind: StoreKind) async throws {
        let rig = try await StoreRig.make(kind)
        #expect(try await rig.store.tokens().isEmpty)
        let brief = try NewAccessToken(name: "brief", scopes: [.read, .submit], lifetime: .seconds(100))
        let lasting = try NewAccessToken(name: "lasting", scopes: [.admin])
        try await rig.store.insertToken(lasting)
        try await rig.store.insertToken(brief)
        let both = try await rig.store.tokens()
        #expect(both.map(\.name) == ["brief", "lasting"] && both.allSatisfy(\.isValid))
        #expect(both.map(\.digest) == [brief.digest, lasting.digest])
        #expect(both.map(\.scopes) == [[.read, .submit], [.admin]])
        #expect(both[0].expires == both[0].created + 100_000 && both[1].expires == nil)

        try await rig.advance(by: 101)
        #expect(try await rig.store.tokens().map(\.isValid) == [false, true])
        try await rig.store.revokeToken(named: "lasting")
        try await rig.store.revokeToken(named: "lasting")
        #expect(try await rig.store.tokens().map(\.isValid) == [false, false])
        // A name stands for one token for ever.
        let again = try NewAccessToken(name: "lasting", scopes: [.read])
        let taken = await #expect(throws: QuernError.self) { try await rig.store.insertToken(again) }
        #expect(taken?.code == .conflict)
        let unknown = await #expect(throws: QuernError.self) { try await rig.store.revokeToken(named: "other") }
        #expect(unknown?.code == .notFound)
    }

    @Test func secretsAreLongAndNewEachTime() throws {
        let tokens = try (0..<2).map { _ in try NewAccessToken(name: "a", scopes: [.read]) }
        #expect(tokens[0].secret != tokens[1].secret && tokens[0].secret.count == 70)
        #expect(tokens[0].digest == NewAccessToken.digest(of: tokens[0].secret))
        for name in ["", "two words", String(repeating: "x", count: 101)] {
            #expect(throws: QuernError.self) { try NewAccessToken(name: name, scopes: [.read]) }
        }
        #expect(throws: QuernError.self) { try NewAccessToken(name: "a", scopes: [.read], lifetime: .zero) }
        #expect(try AccessScope.parse("read,work") == [.read, .work])
        for list in ["", "read,write", "all"] { #expect(throws: QuernError.self) { try AccessScope.parse(list) } }
    }

    private static func headers(_ token: NewAccessToken?) -> HTTPFields {
        token.map { [.authorization: "Bearer \($0.secret)"] } ?? [:]
    }

    /// Whatever is added later is closed until somebody says otherwise.
    @Test func everyRouteAsksForAToken() async throws {
        let rig = try await ServiceRig.make()
        let read = try NewAccessToken(name: "r", scopes: [.read])
        let wrong = try NewAccessToken(name: "wrong", scopes: [.admin])
        let gone = try NewAccessToken(name: "gone", scopes: [.admin])
        for token in [read, gone] { try await rig.store.insertToken(token) }
        try await rig.store.revokeToken(named: "gone")
        let open: Set = ["/", "/healthz", "/readyz", "/openapi.yaml"]
        let routes = CoordinatorRoutes(coordinator: rig.coordinator).documentedRoutes()
        #expect(routes.count == 30)
        var limits = RequestLimits()
        limits.refusalBurst = 1e6
        try await rig.route(limits: limits) { client in
            for (method, path) in routes {
                let method = try #require(HTTPRequest.Method(rawValue: method))
                let place = path.replacing("{id}", with: "x").replacing("{sha256}", with: "x").replacing(
                    "**", with: "x")
                for token in [nil, wrong, gone] {
                    let response = try await client.execute(uri: place, method: method, headers: Self.headers(token))
                    let isRefused = response.status == .unauthorized
                    #expect(isRefused != open.contains(place), "\(method) \(place) \(response.status)")
                    #expect(!isRefused || response.headers[.wwwAuthenticate] == "Bearer realm=\"quern\"")
                }
                let response = try await client.execute(uri: place, method: method, headers: Self.headers(read))
                let mayRead =
                    open.contains(place) || place == "/metrics"
                    || place.hasPrefix("/v1/jobs") && [.get, .head].contains(method)
                #expect((response.status == .forbidden) != mayRead, "\(method) \(place) \(response.status)")
            }
            // Other ways to write a path lead to no other rules.
            for place in ["//v1//jobs", "/v1/jobs/", "/v1/%6Aobs", "/v1/./jobs", "/V1/jobs", "/nothing", "/healthz/x"] {
                let response = try await client.execute(uri: place, method: .get)
                #expect(response.status == .unauthorized, "\(place)")
            }
            for header in ["Bearer", "Basic \(read.secret)", read.secret, "Bearer \(read.secret) x", "Bearer "] {
                let response = try await client.execute(
                    uri: "/v1/jobs", method: .get, headers: [.authorization: header])
                #expect(response.status == .unauthorized, "\(header)")
            }
            let lower = try await client.execute(
                uri: "/v1/jobs", method: .get, headers: [.authorization: "bearer \(read.secret)"])
            #expect(lower.status == .ok)
        }
    }

    @Test(arguments: AccessScope.allCases)
    func scopesAreKeptApart(_ scope: AccessScope) async throws {
        let rig = try await ServiceRig.make()
        let token = try NewAccessToken(name: "t", scopes: [scope])
        try await rig.store.insertToken(token)
        try await rig.serve { open in
            let client = try CoordinatorClient(url: open.url, token: token.secret)
            let blobs = try HTTPBlobStore(url: open.url, token: token.secret)
            func may(_ wanted: AccessScope, isTold: Bool = true, _ body: () async throws -> Void) async throws {
                do {
                    try await body()
                    #expect(scope == wanted || scope == .admin, "\(wanted)")
                } catch let error as QuernError where error.code == .unauthorized {
                    #expect(scope != wanted && scope != .admin, "\(wanted): \(error)")
                    let isClear = error.message.contains("'t'") && error.message.contains("'\(wanted.rawValue)'")
                    #expect(isClear == isTold, "\(error)")
                }
            }
            try await may(.read) { _ = try await client.jobs(limit: 1) }
            try await may(.submit) { _ = try await client.submit(Submission(recipe: ServiceRig.recipe())) }
            try await may(.work) { _ = try await client.openSession(ServiceRig.worker) }
            // Blobs are for who holds a lease, and for administrators.
            try await may(.admin, isTold: false) { _ = try await blobs.contains(Digest(of: [1])) }
            try await may(.admin, isTold: false) { try await blobs.put([1, 2, 3]) }
            try await may(.admin, isTold: false) { _ = try await blobs.get(try await rig.blobs.put([4, 5])) }
            try await may(.admin, isTold: false) { _ = try await client.lookUp([Digest(of: [1])]) }
            let refused = await #expect(throws: QuernError.self) { try await open.jobs(limit: 1) }
            #expect(refused?.code == .unauthorized && refused?.remedy.contains("QUERN_TOKEN") == true)
        }
    }

    /// A job by workers who show a token.
    @Test func workGoesOnWithTokens() async throws {
        let rig = try await ServiceRig.make()
        let token = try NewAccessToken(name: "all", scopes: [.read, .submit, .work])
        try await rig.store.insertToken(token)
        try await rig.serve { open in
            let client = try CoordinatorClient(url: open.url, token: token.secret)
            let job = try await client.submit(Submission(recipe: ServiceRig.recipe()))
            #expect(try await rig.finish(job, through: client).state == .done)
        }
    }

    /// With a token a coordinator may listen beyond its machine.
    @Test func tokensOpenTheWayOut() async throws {
        let rig = try await ServiceRig.make { $0.sourceRoots = ["/models"] }
        try await rig.store.insertToken(try NewAccessToken(name: "t", scopes: [.admin]))
        let server = try CoordinatorServer(coordinator: rig.coordinator, listen: "0.0.0.0:0")
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let running = Task {
            defer { announce.finish() }
            try await server.run { announce.yield($0) }
        }
        var opened = false
        for await _ in ports {
            opened = true
            break
        }
        #expect(opened)
        running.cancel()
    }
}
