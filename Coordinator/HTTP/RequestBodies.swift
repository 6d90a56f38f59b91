import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import QuernFormats
import QuernJobs
import QuernStore

/// For JSON too large for the cooperative pool.
private let codingThreads = ThreadPool(name: "json", threads: 2)
private let largestInlineJSON = 64 << 10

extension Request {
    /// The media type of the body, in lower case and without parameters.
    var mediaType: String? {
        headers[.contentType]?.split(separator: ";").first.map {
            $0.trimmingCharacters(in: .whitespaces).lowercased()
        }
    }

    /// Decodes a JSON body.
    /// - Throws: 415 for another media type, 413 for too much of it, 400 naming the field that is wrong.
    func decodeJSON<Value: Decodable & Sendable>(_ type: Value.Type) async throws -> Value {
        guard mediaType == "application/json" else {
            throw HTTPProblem.unsupportedMediaType(headers[.contentType], expected: "application/json")
        }
        return try await decodeJSONBody(type)
    }

    func decodeJSONBody<Value: Decodable & Sendable>(_ type: Value.Type) async throws -> Value {
        let limit = RequestLimits.bodyBytes(method, path: uri.path)
        let bytes = Array(try await collectBody(limit: limit).readableBytesView)
        if bytes.count <= largestInlineJSON { return try RequestJSON.decode(type, from: bytes) }
        return try await codingThreads.run { try RequestJSON.decode(type, from: bytes) }
    }

    /// - Throws: 413 where there is more than `limit` bytes.
    func collectBody(limit: Int) async throws -> ByteBuffer {
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw HTTPProblem.tooLarge(limit: limit)
        }
        do {
            return try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw HTTPProblem.tooLarge(limit: limit)
        }
    }
}

/// Refuses what says of itself that it is too large, before any of it is read, on whatever route.
struct BodySizeMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let limit = RequestLimits.bodyBytes(request.method, path: request.uri.path)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw HTTPProblem.tooLarge(limit: limit)
        }
        return try await next(request, context)
    }
}

/// A JSON response.
func jsonResponse(_ value: some Encodable & Sendable, status: HTTPResponse.Status = .ok) async throws -> Response {
    let data = try await codingThreads.run {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
    return Response(
        status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
}
