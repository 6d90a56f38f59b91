import HTTPTypes
import Hummingbird
import NIOCore
import QuernFormats
import QuernJobs
import QuernSchemas
import QuernStore

extension CoordinatorRoutes {
    func addOperationRoutes(to router: Router<Context>) {
        router.get("healthz") { _, _ in Self.text("ok\n") }
        router.get("readyz") { _, _ in
            if coordinator.isDraining { throw QuernError(.unavailable, "the coordinator is shutting down") }
            try await checkReadiness()
            return Self.text("ready\n")
        }
        router.get("metrics") { _, _ in
            Self.text(try await coordinator.metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        router.get("openapi.yaml") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: Schemas.openAPI)))
        }
        router.get("/") { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8", .contentTypeOptions: "nosniff", .cacheControl: "no-cache",
                    .contentSecurityPolicy:
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                        + "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                ],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.index_html)))
        }
    }

    /// - Throws: `.unavailable` where the job store or the blob store does not answer.
    private func checkReadiness() async throws {
        do {
            _ = try await coordinator.store.jobs(limit: 1)
        } catch {
            throw QuernError(
                .unavailable, "the job store does not answer: \(error)", remedy: "Check the database")
        }
        do {
            _ = try await coordinator.blobs.contains(Digest(of: [UInt8]()))
        } catch {
            throw QuernError(
                .unavailable, "the blob store does not answer: \(error)", remedy: "Check its folder and disk")
        }
    }

    private static func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
