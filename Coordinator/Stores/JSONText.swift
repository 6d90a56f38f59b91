import Foundation
import QuernFormats

/// Values as the JSON text the job store keeps, keys in order: equal values have equal text.
enum JSONText {
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw QuernError(.invalidInput, "cannot be stored as JSON: \(error)", at: "\(type(of: value))")
        }
    }

    static func decode<T: Decodable>(_ type: T.Type, from text: String) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            throw QuernError(
                .corrupted, "the job database holds a \(type) that cannot be read: \(error)",
                remedy: "Use the version of quern that wrote it")
        }
    }
}
