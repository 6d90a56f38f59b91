import Foundation
import QuernFormats

/// Members of a JSON object that must be there and be what they should; all errors are `.invalidInput`.
struct JSONMembers {
    private let object: JSONObject
    private let place: String

    /// - Parameter known: what it may have, where nothing else is allowed.
    init(_ value: JSONValue, of place: String, known: Set<String>? = nil) throws {
        guard let object = value.object else {
            throw QuernError(.invalidInput, "\(value.kind) in place of an object", at: place)
        }
        (self.object, self.place) = (object, place)
        if let known { try onlyHas(known) }
    }

    func onlyHas(_ known: Set<String>) throws {
        if let unknown = object.keys.first(where: { !known.contains($0) }) {
            throw QuernError(.invalidInput, "'\(unknown)' has no meaning here", at: place)
        }
    }

    func has(_ key: String) -> Bool { object[key] != nil }

    func string(_ key: String) throws -> String { try present(key, \.string, "a string") }

    func optionalString(_ key: String) throws -> String? { has(key) ? try string(key) : nil }

    func bool(_ key: String) throws -> Bool { try present(key, \.bool, "true or false") }

    func array(_ key: String) throws -> [JSONValue] { try present(key, \.array, "an array") }

    func members(_ key: String, known: Set<String>? = nil) throws -> JSONMembers {
        try JSONMembers(present(key, \.self, "an object"), of: key, known: known)
    }

    func optionalMembers(_ key: String, known: Set<String>) throws -> JSONMembers? {
        has(key) ? try members(key, known: known) : nil
    }

    /// Bytes in base64 that are spelt as an encoder spells them.
    func bytes(_ key: String) throws -> [UInt8] {
        let text = try string(key)
        guard let data = Data(base64Encoded: text), data.base64EncodedString().utf8.elementsEqual(text.utf8) else {
            throw QuernError(.invalidInput, "no base64", at: key)
        }
        return [UInt8](data)
    }

    func digest(_ key: String) throws -> Digest {
        guard let digest = Digest(hex: try string(key)) else {
            throw QuernError(.invalidInput, "no sha256", at: key)
        }
        return digest
    }

    func require(_ value: String, _ key: String) throws {
        let found = try string(key)
        guard found.utf8.elementsEqual(value.utf8) else {
            throw QuernError(.invalidInput, "'\(found)' in place of '\(value)'", at: key)
        }
    }

    private func present<Value>(
        _ key: String, _ value: (JSONValue) -> Value?, _ kind: String
    ) throws -> Value {
        guard let member = object[key] else { throw QuernError(.invalidInput, "has no '\(key)'", at: place) }
        guard let value = value(member) else {
            throw QuernError(.invalidInput, "\(member.kind) in place of \(kind)", at: key)
        }
        return value
    }
}
