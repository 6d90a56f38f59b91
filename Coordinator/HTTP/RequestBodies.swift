import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import QuernFormats
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
        if bytes.count <= largestInlineJSON { return try parseJSON(type, bytes) }
        return try await codingThreads.run { try parseJSON(type, bytes) }
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

/// `JSONDecoder` takes more than JSON: UTF-16, commas before a closing bracket, keys that are there twice.
/// - Throws: `QuernError` `.usage` with the path of the field in question, or with the place in the text.
func parseJSON<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
    do {
        _ = try JSONValue.parse(bytes)
    } catch {
        throw QuernError(.usage, "the body is no valid JSON: \(error.message)", at: error.location)
    }
    do {
        return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as QuernError {
        throw error
    } catch let error as DecodingError {
        throw describe(error)
    } catch {
        throw QuernError(.usage, "the body is no valid JSON: \(error)")
    }
}

private func describe(_ error: DecodingError) -> QuernError {
    func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
        (context.codingPath + (key.map { [$0] } ?? [])).map { key in
            key.intValue.map { "[\($0)]" } ?? key.stringValue
        }.joined(separator: ".").replacingOccurrences(of: ".[", with: "[")
    }
    let remedy = "See /openapi.yaml for the fields"
    switch error {
    case .keyNotFound(let key, let context):
        return QuernError(.usage, "the field '\(key.stringValue)' is missing", at: place(context, key), remedy: remedy)
    case .typeMismatch(let type, let context):
        return QuernError(.usage, "the field is no \(type)", at: place(context), remedy: remedy)
    case .valueNotFound(let type, let context):
        return QuernError(.usage, "the field is null, but should be a \(type)", at: place(context), remedy: remedy)
    case .dataCorrupted(let context) where context.codingPath.isEmpty:
        // The text is JSON. What decoders have against it as a whole is a number that its field cannot hold.
        return QuernError(.usage, "a number is too large for its field, or no whole one", remedy: remedy)
    case .dataCorrupted(let context):
        return QuernError(.usage, context.debugDescription, at: place(context), remedy: remedy)
    @unknown default:
        return QuernError(.usage, "the body cannot be read: \(error)")
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
