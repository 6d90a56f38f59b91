import HTTPTypes
import Hummingbird
import QuernFormats
import QuernJobs
import QuernStore

extension CoordinatorRoutes {
    func addWorkerRoutes(to group: RouterGroup<Context>) {
        group.post("sessions") { request, _ in
            let grant = try await coordinator.openSession(try await request.decodeJSON(SessionRequest.self))
            return try await jsonResponse(grant, status: .created)
        }
        group.delete("sessions/{id}") { _, context in
            try await coordinator.closeSession(SessionID(rawValue: try context.segment("id")))
            return Response(status: .noContent)
        }
        group.post("sessions/{id}/heartbeat") { request, context in
            let session = SessionID(rawValue: try context.segment("id"))
            let report = try await request.decodeJSON(HeartbeatReport.self)
            return try await jsonResponse(try await coordinator.heartbeat(session, report))
        }
        group.post("claims") { request, context in
            var claims = try await claim(request, context)
            if try await access.isClosed {
                for index in claims.indices {
                    claims[index] = claims[index].showing(try await leases.token(for: claims[index].lease))
                }
            }
            return try await jsonResponse(Wire.Claims(claims: claims))
        }
        group.post("leases/{id}/complete") { request, context in
            let body = try await request.decodeJSON(Wire.Complete.self)
            try await coordinator.complete(try Self.lease(body.lease, context), body.completion)
            return Response(status: .noContent)
        }
        group.post("leases/{id}/fail") { request, context in
            let body = try await request.decodeJSON(Wire.Fail.self)
            try await coordinator.fail(try Self.lease(body.lease, context), body.failure)
            return Response(status: .noContent)
        }
        group.post("leases/{id}/release") { request, context in
            let body = try await request.decodeJSON(Wire.Release.self)
            try await coordinator.release(try Self.lease(body.lease, context))
            return Response(status: .noContent)
        }
        group.post("cache/lookup") { request, _ in
            let found = try await coordinator.lookUp(try await request.decodeJSON(Wire.LookUp.self).keys)
            return try await jsonResponse(
                Wire.Parts(parts: Dictionary(uniqueKeysWithValues: found.map { ($0.key.hex, $0.value) })))
        }
    }

    private static func lease(_ lease: Lease, _ context: Context) throws -> Lease {
        guard try context.segment("id") == lease.id else {
            throw QuernError(.usage, "path and body name different leases", at: "lease.id")
        }
        guard context.lease == nil || context.lease == lease else {
            throw HTTPProblem(
                error: QuernError(.unauthorized, "the token is that of another lease", at: "Authorization"),
                status: 403)
        }
        return lease
    }

    /// Waits for work no longer than its caller does: items for somebody who has hung up would be stuck until their
    /// deadline, so they go back at once.
    private func claim(_ request: Request, _ context: Context) async throws -> [Claim] {
        let body = try await request.decodeJSON(Wire.ClaimRequest.self)
        guard body.waitSeconds >= 0, body.waitSeconds <= 3600 else {
            throw QuernError(.usage, "a wait lies between 0 and 3600 seconds", at: "waitSeconds")
        }
        let waiting = Task { [coordinator] in
            try await coordinator.claim(body.session, limit: body.limit, wait: .seconds(body.waitSeconds))
        }
        return try await withTaskCancellationHandler {
            guard let hangUp = await context.hangUp() else { return try await waiting.value }
            let claims = try await hangUp.during {
                try await waiting.value
            } action: {
                waiting.cancel()
            }
            guard hangUp.happened else { return claims }
            for claim in claims { try? await coordinator.release(claim.lease) }
            return []
        } onCancel: {
            waiting.cancel()
        }
    }
}
