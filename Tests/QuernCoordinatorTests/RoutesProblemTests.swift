import Hummingbird
import HummingbirdTesting
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernSchemas
import TestSupport
import Testing
import Yams

@Suite struct RoutesDocumentTests {
    /// Every route is described, and everything that is described is there.
    @Test func documentAndRouterAgree() async throws {
        let rig = try await ServiceRig.make()
        let routes = Set(
            CoordinatorRoutes(coordinator: rig.coordinator).documentedRoutes().map { route in
                "\(route.method) \(route.path.replacing("**", with: "{name}"))"
            })
        let text = String(decoding: Schemas.openAPI, as: UTF8.self)
        let document = try #require(try Yams.load(yaml: text) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        var described: Set<String> = []
        for (path, operations) in paths {
            for method in ["get", "head", "post", "put", "delete", "patch"] where operations[method] != nil {
                described.insert("\(method.uppercased()) \(path)")
                // Whatever is asked for may be asked for too often.
                let operation = try #require(operations[method] as? [String: Any])
                let responses = try #require(operation["responses"] as? [String: Any])
                #expect(responses["429"] != nil, "\(method) \(path)")
            }
        }
        #expect(described.count == 30)
        #expect(routes == described)
    }

    /// The enumerations of the document are those of the code.
    @Test func enumerationsAgree() throws {
        let text = String(decoding: Schemas.openAPI, as: UTF8.self)
        let document = try #require(try Yams.compose(yaml: text))
        let schemas = try #require(document["components"]?["schemas"])
        func names(_ node: Node?) throws -> Set<String> {
            Set(try #require(node?["enum"]?.array()).compactMap(\.string))
        }
        let problem = schemas["Problem"]?["properties"]?["code"]
        #expect(try names(problem) == Set(QuernError.Code.allCases.map(\.rawValue)))
        #expect(try names(schemas["JobState"]) == Set(JobState.allCases.map(\.rawValue)))
        #expect(try names(schemas["Stage"]) == Set(Stage.allCases.map(\.rawValue)))
        let elements = Set(ElementType.allCases.map(\.description))
        #expect(try names(schemas["ElementType"]) == elements)
        let tensors = elements.union(SafetensorsType.allCases.map { TensorType($0).description })
        #expect(try names(schemas["TensorType"]) == tensors)
        let item = schemas["Item"]?["properties"]?["state"]
        #expect(try names(item) == Set(ItemState.allCases.map(\.rawValue)))
        let failure = schemas["WorkFailure"]?["properties"]?["class"]
        #expect(try names(failure) == Set(WorkFailure.Class.allCases.map(\.rawValue)))
    }

    @Test func operation() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.route { client in
            #expect(try await client.execute(uri: "/healthz", method: .get).text == "ok\n")
            #expect(try await client.execute(uri: "/readyz", method: .get).text == "ready\n")
            let document = try await client.execute(uri: "/openapi.yaml", method: .get)
            #expect(document.bytes == Schemas.openAPI)

            let page = try await client.execute(uri: "/", method: .get)
            #expect(page.headers[.contentType] == "text/html; charset=utf-8")
            #expect(page.headers[.contentSecurityPolicy]?.hasPrefix("default-src 'none'") == true)
            #expect(page.text.contains("<h1>Quern</h1>"))
            #expect(!page.text.contains("innerHTML"))

            let metrics = try await client.execute(uri: "/metrics", method: .get)
            #expect(metrics.headers[.contentType]?.hasPrefix("text/plain; version=0.0.4") == true)
            let lines = metrics.text.split(separator: "\n")
            #expect(lines.contains("quern_jobs{state=\"running\"} 1"))
            #expect(lines.contains("quern_items{state=\"ready\"} \(ServiceRig.spans)"))
            #expect(lines.contains("quern_items{state=\"blocked\"} 2"))
            #expect(lines.contains("quern_submissions_total 1"))
            #expect(lines.contains("quern_work_left \(job.progress.costTotal)"))
            #expect(lines.contains("quern_database_up 1"))
        }
    }

    /// What has to be known most is what a coordinator does that cannot reach its database.
    @Test func metricsWithoutDatabase() async throws {
        let server = try await PostgreSQLServer()
        let rig = try await ServiceRig.make(store: PostgresJobStore(url: try await server.freshDatabase()))
        try await rig.submit()
        try await rig.route { client in
            #expect(try await client.execute(uri: "/metrics", method: .get).text.contains("quern_database_up 1\n"))
            try await server.stop()
            #expect(try await client.execute(uri: "/readyz", method: .get).status == .serviceUnavailable)
            let lines = try await client.execute(uri: "/metrics", method: .get).text.split(separator: "\n")
            #expect(lines.contains("quern_database_up 0"))
            #expect(lines.contains("quern_submissions_total 1"))
            #expect(!lines.contains { $0.hasPrefix("quern_jobs{") })
        }
    }
}

@Suite struct RoutesProblemTests {
    @Test(arguments: ["/nothing", "/v1", "/v1/jobs/a/b", "/v1/blobs", "/v2/jobs"])
    func unknownPath(_ path: String) async throws {
        try await ServiceRig.make().route { client in
            let problem = try await client.execute(uri: path, method: .get).problem(404)
            #expect(problem.code == .notFound)
            #expect(problem.location == path)
        }
    }

    @Test(arguments: [
        ("/v1/jobs", HTTPRequest.Method.delete, "GET, HEAD, POST"), ("/v1/claims", .get, "POST"),
        ("/v1/jobs/x/cancel", .get, "POST"), ("/healthz", .post, "GET, HEAD"), ("/v1/sessions/s", .get, "DELETE"),
        ("/v1/blobs/\(String(repeating: "0", count: 64))", .post, "GET, HEAD, PUT"),
        ("/healthz", .trace, "GET, HEAD"), ("/v1/jobs", .connect, "GET, HEAD, POST"),
        ("/v1/jobs", .init("QUERY")!, "GET, HEAD, POST"), ("/v1/jobs/x", .init("M-SEARCH")!, "GET, HEAD"),
    ])
    func otherMethod(_ path: String, _ method: HTTPRequest.Method, _ allowed: String) async throws {
        try await ServiceRig.make().route { client in
            let response = try await client.execute(uri: path, method: method)
            let problem = try response.problem(405)
            #expect(problem.code == .usage)
            #expect(response.headers[.allow] == allowed)
        }
    }

    @Test(arguments: [
        (#"{"node": "one", "slots": 2, "memory": 5"#, "byte 39, line 1", "the body is no valid JSON: unexpected end"),
        (#"{"node": "one", "slots": 2, "memory": 5, "stages": ["encode"],}"#, "byte 62, line 1", "a key should be"),
        (#"{"node": "one", "slots": 2, "node": "two", "memory": 5}"#, "byte 28, line 1", "duplicate key 'node'"),
        (#"{"node": "\ud800", "slots": 2, "memory": 5}"#, "byte 10, line 1", "an unpaired surrogate"),
        (#"{"node": \#(String(repeating: "[", count: 30_000))"#, "byte 72, line 1", "nested more than 64 deep"),
        (#"{"node": "one", "slots": 1e400, "memory": 5}"#, "byte 25, line 1", "is too large"),
        (
            #"{"node": "one", "slots": 9223372036854775808, "memory": 5}"#, "",
            "a number is too large for its field, or no whole one"
        ),
        (#"{"node": "one", "slots": 1.5, "memory": 5}"#, "", "a number is too large for its field, or no whole one"),
        (#"{"node": "one", "slots": 2, "memory": 5}"#, "stages", "the field 'stages' is missing"),
        (#"{"node": "one", "slots": "two", "memory": 5, "stages": []}"#, "slots", "the field is no Int"),
        (#"{"node": null, "slots": 2, "memory": 5, "stages": []}"#, "node", "the field is null"),
        (#"{"node": "one", "slots": 2, "memory": 5, "stages": ["encode", "bake"]}"#, "stages[1]", "bake"),
        (#"{"node": "one", "slots": 0, "memory": 5, "stages": ["encode"]}"#, "one", "needs slots"),
        (#"{"node": "", "slots": 1, "memory": 5, "stages": ["encode"]}"#, "node", "1 to 255 characters"),
        ("[1, 2]", "", "the field is no"),
    ])
    func malformedJSON(_ body: String, _ location: String, _ message: String) async throws {
        try await ServiceRig.make().route { client in
            let response = try await client.execute(
                uri: "/v1/sessions", method: .post, headers: [.contentType: "application/json"],
                body: ByteBuffer(string: body))
            let problem = try response.problem(400)
            #expect(problem.code == .usage)
            #expect((problem.location ?? "") == location)
            #expect(problem.detail.contains(message))
        }
    }

    @Test(arguments: ["text/plain", "application/x-www-form-urlencoded", nil])
    func unknownMediaType(_ type: String?) async throws {
        try await ServiceRig.make().route { client in
            for path in ["/v1/jobs", "/v1/sessions", "/v1/claims"] {
                let response = try await client.execute(
                    uri: path, method: .post, headers: type.map { [.contentType: $0] } ?? [:],
                    body: ByteBuffer(string: "{}"))
                #expect(try response.problem(415).location == "Content-Type")
            }
        }
    }

    /// PostgreSQL would make U+FFFD of it, and one key of two.
    @Test func namesWithoutNUL() async throws {
        try await ServiceRig.make().route { client in
            let request = SessionRequest(node: "a\0b", slots: 1, memory: 1, stages: [.encode])
            let submission = Submission(recipe: ServiceRig.recipe(), idempotencyKey: "a\0b")
            for (path, body, location) in [
                ("/v1/sessions", try jsonBody(request), "node"),
                ("/v1/jobs", try jsonBody(submission), "Idempotency-Key"),
            ] {
                let response = try await client.execute(
                    uri: path, method: .post, headers: [.contentType: "application/json"], body: body)
                let problem = try response.problem(400)
                #expect(problem.location == location)
                #expect(problem.detail.hasSuffix("1 to 255 characters, none NUL"))
            }
        }
    }

    /// Missing, or a list of what there is.
    @Test(arguments: [
        ("", 201), (#", "forward": []"#, 201), (#", "forward": ["cuda", "cpu"]"#, 201), (#", "forward": null"#, 400),
        (#", "forward": "cuda""#, 400), (#", "forward": ["gpu"]"#, 400),
    ])
    func devicesOfSessions(_ field: String, _ status: Int) async throws {
        try await ServiceRig.make().route { client in
            let response = try await client.execute(
                uri: "/v1/sessions", method: .post, headers: [.contentType: "application/json"],
                body: ByteBuffer(
                    string: #"{"node": "one", "slots": 1, "memory": 5, "stages": ["measure"]\#(field)}"#))
            #expect(response.status.code == status)
        }
    }

    @Test func bodiesInUTF16() async throws {
        try await ServiceRig.make().route { client in
            let text = #"{"node": "one", "slots": 1, "memory": 5, "stages": ["encode"]}"#
            let response = try await client.execute(
                uri: "/v1/sessions", method: .post, headers: [.contentType: "application/json"],
                body: ByteBuffer(bytes: text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }))
            #expect(try response.problem(400).detail.hasPrefix("the body is no valid JSON: unexpected byte 0x0"))
        }
    }

    /// Names of 255 characters fit, however many bytes these have.
    @Test(arguments: [(255, 201, 404), (256, 400, 400)])
    func lengthsCountCharacters(_ count: Int, _ session: Int, _ job: Int) async throws {
        try await ServiceRig.make().route { client in
            let name = String(repeating: "é", count: count)
            let request = SessionRequest(node: name, slots: 1, memory: 1, stages: [.encode])
            let opened = try await client.execute(
                uri: "/v1/sessions", method: .post, headers: [.contentType: "application/json"],
                body: try jsonBody(request))
            #expect(opened.status.code == session)
            let path = String(repeating: "%C3%A9", count: count)
            #expect(try await client.execute(uri: "/v1/jobs/\(path)", method: .get).status.code == job)
            let submission = Submission(recipe: ServiceRig.recipe(), idempotencyKey: name)
            let submitted = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json"],
                body: try jsonBody(submission))
            #expect(submitted.status.code == session)
        }
    }

    @Test func largeBodies() async throws {
        try await ServiceRig.make().route { client in
            let large = ByteBuffer(repeating: UInt8(ascii: " "), count: (16 << 20) + 1)
            let response = try await client.execute(
                uri: "/v1/claims", method: .post, headers: [.contentType: "application/json"], body: large)
            #expect(try response.problem(413).code == .invalidInput)
        }
    }

    @Test func requestsOfOtherSites() async throws {
        try await ServiceRig.make().route { client in
            for (origin, status) in [("http://evil.example", 403), ("http://localhost", 404), ("null", 403)] {
                let response = try await client.execute(
                    uri: "/v1/jobs/x/cancel", method: .post, headers: [.origin: origin])
                #expect(response.status.code == status, "\(origin)")
            }
            let reading = try await client.execute(
                uri: "/v1/jobs", method: .get, headers: [.origin: "http://evil.example"])
            #expect(reading.status == .ok)
        }
    }

    @Test(arguments: QuernError.Code.allCases)
    func codesAndStatuses(_ code: QuernError.Code) throws {
        let error = QuernError(code, "message", at: "place", remedy: "remedy")
        #expect(Problem(error).error == error)
        #expect((400..<600).contains(code.httpStatus))
        let plain = QuernError(code, "message")
        #expect(Problem(plain).error == plain)
        #expect(Problem(plain).location == nil)
    }

    @Test(arguments: [
        (400, QuernError.Code.usage), (401, .unauthorized), (403, .unauthorized), (404, .notFound), (405, .usage),
        (409, .conflict), (413, .invalidInput), (415, .unsupported), (418, .usage), (422, .invalidInput),
        (429, .unavailable), (499, .cancelled), (500, .internalFault), (501, .unsupported), (502, .unavailable),
        (503, .unavailable), (504, .unavailable), (507, .outOfSpace), (599, .internalFault),
    ])
    func statusesWithoutProblem(_ status: Int, _ code: QuernError.Code) {
        #expect(QuernError.Code(httpStatus: status) == code)
    }
}
