import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import QuernFormats
import QuernJobs

extension CoordinatorRoutes {
    func addJobRoutes(to jobs: RouterGroup<Context>) {
        jobs.post { request, _ in try await submit(request) }
        jobs.get { request, _ in
            try await jsonResponse(
                Wire.Jobs(jobs: try await coordinator.jobs(limit: try request.number("limit") ?? 100)))
        }
        jobs.get("{id}") { _, context in try await jsonResponse(try await coordinator.job(try context.jobID())) }
        for action in JobAction.allCases {
            jobs.post(RouterPath("{id}/\(action.rawValue)")) { _, context in
                try await jsonResponse(try await coordinator.control(try context.jobID(), action))
            }
        }
        jobs.get("{id}/items") { _, context in
            try await jsonResponse(Wire.Items(items: try await coordinator.items(of: try context.jobID())))
        }
        jobs.get("{id}/events") { request, context in
            try await events(of: try context.jobID(), request)
        }
    }

    /// The body is a submission, or a recipe alone, as JSON or YAML.
    private func submit(_ request: Request) async throws -> Response {
        let key = request.headers[.idempotencyKey]
        let submission: Submission
        switch request.mediaType {
        case "application/json":
            let body = try await request.decodeJSONBody(Wire.SubmissionBody.self)
            guard key == nil || body.idempotencyKey == nil || key == body.idempotencyKey else {
                throw QuernError(.usage, "header and body give different idempotency keys", at: "Idempotency-Key")
            }
            submission = Submission(
                recipe: body.recipe, priority: body.priority, idempotencyKey: key ?? body.idempotencyKey)
        case "application/yaml", "application/x-yaml", "text/yaml":
            let body = try await request.collectBody(limit: 1 << 20)
            submission = Submission(recipe: try Recipe(yaml: String(buffer: body)), idempotencyKey: key)
        default:
            throw HTTPProblem.unsupportedMediaType(
                request.headers[.contentType], expected: "application/json or application/yaml")
        }
        let job = try await coordinator.submit(submission)
        var response = try await jsonResponse(job, status: .created)
        response.headers[.location] = "/v1/jobs/\(job.id)"
        return response
    }

    /// As server-sent events, or, where JSON is asked for, those that there are now.
    private func events(of id: JobID, _ request: Request) async throws -> Response {
        var last = Int64(try request.number("after") ?? 0)
        if let header = request.headers[.lastEventID] {
            guard let sequence = Int64(header) else {
                throw QuernError(.usage, "'\(header)' is no id of an event", at: "Last-Event-ID")
            }
            last = sequence
        }
        if let accept = request.headers[.accept], accept.contains("application/json"),
            !accept.contains("text/event-stream")
        {
            return try await jsonResponse(
                Wire.Events(events: try await coordinator.events(of: id, after: last)))
        }
        _ = try await coordinator.job(id)
        let stream = EventStream(coordinator: coordinator, job: id, after: last)
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-store",
                // Tells proxies that gather responses to let this one through as it comes.
                .accelBuffering: "no",
            ],
            body: ResponseBody { writer in
                try await stream.run { try await writer.write(ByteBuffer(string: $0)) }
                try await writer.finish(nil)
            })
    }
}

extension HTTPField.Name {
    static let idempotencyKey = Self("Idempotency-Key")!
    static let lastEventID = Self("Last-Event-ID")!
    static let accelBuffering = Self("X-Accel-Buffering")!
}
