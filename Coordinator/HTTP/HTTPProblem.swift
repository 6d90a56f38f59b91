import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import QuernFormats
import QuernJobs

/// An error whose HTTP status or headers say more than its code does.
struct HTTPProblem: Error {
    let error: QuernError
    let status: Int
    var headers: HTTPFields = [:]

    static func unsupportedMediaType(_ found: String?, expected: String) -> HTTPProblem {
        HTTPProblem(
            error: QuernError(
                .unsupported, found.map { "a body of type '\($0)' is not understood" } ?? "the body's type is missing",
                at: "Content-Type", remedy: "Send \(expected)"),
            status: 415)
    }

    static func tooLarge(limit: Int) -> HTTPProblem {
        HTTPProblem(
            error: QuernError(.invalidInput, "the body is larger than \(limit) bytes", remedy: "Send less at once"),
            status: 413)
    }

    /// As JSON.
    var document: ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ByteBuffer(bytes: (try? encoder.encode(Problem(error, status: status))) ?? Data())
    }
}

/// Turns every error, the router's own included, into a problem document.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let problem = Self.problem(for: error, request: request)
            context.logger.debug(
                "refused", metadata: ["status": "\(problem.status)", "error": "\(problem.error)"])
            return Self.response(problem, to: request)
        }
    }

    private static func problem(for error: any Error, request: Request) -> HTTPProblem {
        switch error {
        case let problem as HTTPProblem:
            return problem
        case let error as QuernError:
            var headers = HTTPFields()
            // Space comes back when jobs end or somebody makes some; a server in trouble is soon back or not at all.
            if error.code == .outOfSpace { headers[.retryAfter] = "30" }
            if error.code == .unavailable { headers[.retryAfter] = "2" }
            return HTTPProblem(error: error, status: error.code.httpStatus, headers: headers)
        case let error as HTTPParserError:
            return .malformed(error)
        case is CancellationError:
            return HTTPProblem(
                error: QuernError(.unavailable, "the coordinator is shutting down", remedy: "Try again soon"),
                status: 503, headers: [.retryAfter: "2"])
        case let error as HTTPError where error.status == .notFound:
            return HTTPProblem(
                error: QuernError(
                    .notFound, "there is nothing at this path", at: request.uri.path,
                    remedy: "See /openapi.yaml for what there is"),
                status: 404)
        case let error as HTTPError:
            let code = QuernError.Code(httpStatus: error.status.code)
            return HTTPProblem(
                error: QuernError(code, error.body ?? error.status.reasonPhrase, at: request.uri.path),
                status: error.status.code, headers: error.headers)
        default:
            return HTTPProblem(
                error: QuernError(.internalFault, "\(error)", at: request.uri.path), status: 500)
        }
    }

    private static func response(_ problem: HTTPProblem, to request: Request) -> Response {
        var headers = problem.headers
        headers[.contentType] = Problem.mediaType
        // A body after the answer to a HEAD would be taken for the next answer on the connection.
        guard request.method != .head else {
            return Response(status: HTTPResponse.Status(code: problem.status), headers: headers)
        }
        return Response(
            status: HTTPResponse.Status(code: problem.status), headers: headers,
            body: ResponseBody(byteBuffer: problem.document))
    }
}

/// Refuses what a page of another site makes a browser send: reading is harmless, for such a page sees no answer.
struct SameOriginMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if request.method != .get, request.method != .head, let origin = request.headers[.origin] {
            let authority = request.head.authority ?? ""
            guard origin == "http://\(authority)" || origin == "https://\(authority)" else {
                throw HTTPProblem(
                    error: QuernError(
                        .unauthorized, "requests from pages of '\(origin)' are not accepted", at: "Origin",
                        remedy: "Use the command line, or a page of this coordinator"),
                    status: 403)
            }
        }
        return try await next(request, context)
    }
}

/// One line for each request at debug level, once its response's head is known.
struct AccessLogMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let response = try await next(request, context)
        context.logger.debug(
            "request",
            metadata: [
                "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(response.status.code)",
                "milliseconds": "\((ContinuousClock.now - start).seconds * 1000)",
            ])
        return response
    }
}
