import Foundation
import QuernFormats

/// Bodies of requests in JSON.
package enum RequestJSON {
    /// `JSONDecoder` takes more than JSON: UTF-16, commas before a closing bracket, keys that are there twice.
    /// - Throws: `QuernError` `.usage` with the path of the field in question, or with the place in the text.
    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
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

    private static func describe(_ error: DecodingError) -> QuernError {
        func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
            (context.codingPath + (key.map { [$0] } ?? [])).map { key in
                key.intValue.map { "[\($0)]" } ?? key.stringValue
            }.joined(separator: ".").replacingOccurrences(of: ".[", with: "[")
        }
        let remedy = "See /openapi.yaml for the fields"
        switch error {
        case .keyNotFound(let key, let context):
            return QuernError(
                .usage, "the field '\(key.stringValue)' is missing", at: place(context, key), remedy: remedy)
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
}
