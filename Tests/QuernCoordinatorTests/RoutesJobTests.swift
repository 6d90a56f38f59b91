import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QuernFormats
import QuernJobs
import Testing

@Suite struct RoutesJobTests {
    private static let yaml = """
        source: /models/tiny
        name: tiny
        targets:
          - gguf: Q8_0
        """

    @Test func submissionAsJSON() async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            let submission = Submission(recipe: ServiceRig.recipe(), priority: 3)
            let response = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json; charset=utf-8"],
                body: try jsonBody(submission))
            #expect(response.status == .created)
            let job: JobRecord = try response.json()
            #expect(response.headers[.location] == "/v1/jobs/\(job.id)")
            #expect(job.priority == 3)
            #expect(job.name == "tiny")
            #expect(job.state == .running)
            #expect(job.recipe == submission.recipe)
            #expect(job.progress.items == ["ready": 3, "blocked": 2])
            #expect(job.artifacts.map(\.target) == ["Q8_0"])
            // What the plan refers to is there before any worker asks for it.
            #expect(try await rig.blobs.contains(Sample.digest("a header")))

            let read = try await client.execute(uri: "/v1/jobs/\(job.id)", method: .get)
            #expect(try read.json(JobRecord.self).id == job.id)
        }
    }

    @Test(arguments: ["application/yaml", "application/x-yaml", "text/yaml"])
    func recipeAsYAML(_ type: String) async throws {
        try await ServiceRig.make().route { client in
            let response = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: type], body: ByteBuffer(string: Self.yaml))
            #expect(response.status == .created)
            #expect(try response.json(JobRecord.self).recipe == ServiceRig.recipe())
        }
    }

    @Test func recipeAsJSON() async throws {
        try await ServiceRig.make().route { client in
            let response = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json"],
                body: try jsonBody(ServiceRig.recipe()))
            #expect(response.status == .created)
            #expect(try response.json(JobRecord.self).recipe == ServiceRig.recipe())
        }
    }

    @Test func idempotency() async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            func submit(_ recipe: Recipe, key: String) async throws -> TestResponse {
                try await client.execute(
                    uri: "/v1/jobs", method: .post,
                    headers: [.contentType: "application/json", HTTPField.Name("Idempotency-Key")!: key],
                    body: try jsonBody(recipe))
            }
            let first: JobRecord = try await submit(ServiceRig.recipe(), key: "one").json()
            let again: JobRecord = try await submit(ServiceRig.recipe(), key: "one").json()
            let other: JobRecord = try await submit(ServiceRig.recipe(), key: "two").json()
            #expect(first.id == again.id)
            #expect(first.id != other.id)
            let problem = try await submit(ServiceRig.recipe("Q4_0"), key: "one").problem(409)
            #expect(problem.detail.contains(first.id.rawValue))
            #expect(
                try await submit(ServiceRig.recipe(), key: String(repeating: "x", count: 256)).status == .badRequest)
            #expect(try await rig.coordinator.jobs(limit: 10).count == 2)
        }
    }

    @Test func refusedPlansStoreNothing() async throws {
        let rig = try await ServiceRig.make()
        try await rig.route { client in
            func submit(_ recipe: Recipe) async throws -> TestResponse {
                try await client.execute(
                    uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json"],
                    body: try jsonBody(recipe))
            }
            let refused = try await submit(ServiceRig.recipe(name: "refused")).problem(501)
            #expect(refused.code == .unsupported)
            #expect(refused.detail.contains("Q8_0: no statistics (blk.0.ffn_down.weight)"))

            var relative = ServiceRig.recipe()
            relative.source = "models/tiny"
            let answer1 = try await submit(relative)
            #expect(try answer1.problem(400).location == "source")

            var imatrix = ServiceRig.recipe()
            imatrix.imatrix = "tiny.imatrix"
            let answer2 = try await submit(imatrix)
            #expect(try answer2.problem(400).location == "imatrix")

            let unknownKey = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json"],
                body: ByteBuffer(string: #"{"source": "/m", "targets": [], "colour": "blue"}"#))
            #expect(try unknownKey.problem(400).detail.contains("colour"))
            let misspelled = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json"],
                body: ByteBuffer(
                    string: #"{"recipe": {"source": "/m", "targets": [{"gguf": "Q8_0"}]}, "priorty": 1}"#))
            #expect(try misspelled.problem(400).detail == "unknown key 'priorty'")
            let brokenYAML = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/yaml"],
                body: ByteBuffer(string: "source: [unclosed"))
            #expect(try brokenYAML.problem(400).code == .usage)
        }
        #expect(try await rig.coordinator.jobs(limit: 10).isEmpty)
        #expect(try await !rig.blobs.contains(Sample.digest("a header")))
    }

    /// Forbidden, not unauthorized: no token would help.
    @Test func sourcesElsewhere() async throws {
        let rig = try await ServiceRig.make { $0.sourceRoots = ["/srv/models"] }
        try await rig.route { client in
            let response = try await client.execute(
                uri: "/v1/jobs", method: .post, headers: [.contentType: "application/json"],
                body: try jsonBody(ServiceRig.recipe()))
            let problem = try response.problem(403)
            #expect(problem.code == .unauthorized)
            #expect(problem.location == "source")
        }
    }

    @Test func listing() async throws {
        let rig = try await ServiceRig.make()
        for name in ["a", "b", "c"] { try await rig.submit(name) }
        try await rig.route { client in
            let all: Wire.Jobs = try await client.execute(uri: "/v1/jobs", method: .get).json()
            #expect(Set(all.jobs.map(\.name)) == ["a", "b", "c"])
            let two: Wire.Jobs = try await client.execute(uri: "/v1/jobs?limit=2", method: .get).json()
            #expect(two.jobs.map(\.id) == all.jobs.prefix(2).map(\.id))
            for limit in ["0", "1001", "-1", "many", ""] {
                let response = try await client.execute(uri: "/v1/jobs?limit=\(limit)", method: .get)
                #expect(try response.problem(400).location == "limit")
            }
        }
    }

    @Test func control() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.route { client in
            func act(_ action: String, on id: String) async throws -> TestResponse {
                try await client.execute(uri: "/v1/jobs/\(id)/\(action)", method: .post)
            }
            for (action, state) in [
                ("pause", JobState.paused), ("resume", .running), ("cancel", .cancelled), ("retry", .running),
            ] {
                let answer = try await act(action, on: job.id.rawValue)
                #expect(try answer.json(JobRecord.self).state == state)
            }
            let answer3 = try await act("retry", on: job.id.rawValue)
            #expect(try answer3.problem(409).code == .conflict)
            let answer4 = try await act("cancel", on: "missing")
            #expect(try answer4.problem(404).code == .notFound)
        }
    }

    @Test func itemsAndEvents() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        _ = try await rig.coordinator.control(job.id, .pause)
        try await rig.route { client in
            let path = "/v1/jobs/\(job.id)"
            let items: Wire.Items = try await client.execute(uri: "\(path)/items", method: .get).json()
            #expect(items.items.map(\.stage) == [.encode, .encode, .encode, .assemble, .publish])
            #expect(items.items.map(\.state) == [.ready, .ready, .ready, .blocked, .blocked])

            func events(_ query: String) async throws -> [JobEvent.Kind] {
                let response = try await client.execute(
                    uri: "\(path)/events\(query)", method: .get, headers: [.accept: "application/json"])
                return try response.json(Wire.Events.self).events.map(\.kind)
            }
            #expect(try await events("") == [.submitted, .paused])
            #expect(try await events("?after=1") == [.paused])
            #expect(try await events("?after=2") == [])
            for (id, status) in [("1", 200), ("9223372036854775808", 400), ("x", 400)] {
                let response = try await client.execute(
                    uri: "\(path)/events?after=0", method: .get,
                    headers: [.accept: "application/json", HTTPField.Name("Last-Event-ID")!: id])
                #expect(response.status.code == status)
                guard status == 200 else { continue }
                #expect(try response.json(Wire.Events.self).events.map(\.kind) == [.paused])
            }
            for missing in ["", "/items", "/events", "/artifacts", "/manifest"] {
                let response = try await client.execute(uri: "/v1/jobs/missing\(missing)", method: .get)
                #expect(try response.problem(404).location?.hasPrefix("missing") == true)
            }
        }
    }

    /// The stream of a job that has ended ends, too; a client that comes back gets what it has not seen.
    @Test func eventStream() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        _ = try await rig.coordinator.control(job.id, .cancel)
        try await rig.route { client in
            let response = try await client.execute(uri: "/v1/jobs/\(job.id)/events", method: .get)
            #expect(response.headers[.contentType] == "text/event-stream")
            let blocks = response.text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
            #expect(
                blocks.map { $0.split(separator: "\n").first { $0.hasPrefix("event: ") }?.dropFirst(7) }
                    == ["submitted", "cancelled", "progress", "end"])
            #expect(blocks[0].hasPrefix("id: 1\n"))
            #expect(blocks[1].hasPrefix("id: 2\n"))
            #expect(blocks[2].contains(#""state":"cancelled""#))

            let later = try await client.execute(
                uri: "/v1/jobs/\(job.id)/events", method: .get, headers: [HTTPField.Name("Last-Event-ID")!: "1"])
            #expect(!later.text.contains("event: submitted"))
            #expect(later.text.hasPrefix("id: 2\nevent: cancelled\n"))
            let broken = try await client.execute(
                uri: "/v1/jobs/\(job.id)/events", method: .get, headers: [HTTPField.Name("Last-Event-ID")!: "x"])
            #expect(try broken.problem(400).location == "Last-Event-ID")
        }
    }
}
