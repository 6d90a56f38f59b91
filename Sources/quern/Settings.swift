import Foundation
import QuernFormats
import QuernJobs
import Yams

/// Settings that are not given as a flag: first the environment (`QUERN_COORDINATOR`), then `quern.yaml` in the
/// working folder (`coordinator: http://…`), or the file that `QUERN_CONFIG` names.
struct Settings {
    enum Key: String, CaseIterable {
        case coordinator, database, blobs, data, listen, workers, memory, state, slots, device, forward
        case tokenFile = "token_file"
        case authorities = "ca_file"
        case tlsCertificate = "tls_certificate"
        case tlsKey = "tls_key"
        case sourceCache = "source_cache"
        case directBlobs = "direct_blobs"
    }

    private let environment: [String: String]
    private let file: [String: String]

    static func load(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> Settings {
        let named = environment["QUERN_CONFIG"]
        let path = named ?? "quern.yaml"
        guard let data = FileManager.default.contents(atPath: path) else {
            if named != nil {
                throw QuernError(.notFound, "QUERN_CONFIG names a file that cannot be read", at: path)
            }
            return Settings(environment: environment, file: [:])
        }
        return Settings(environment: environment, file: try parse(String(decoding: data, as: UTF8.self), path: path))
    }

    /// The flag's value where it was given, else the setting's.
    func value(_ key: Key, flag: String? = nil) -> String? {
        flag ?? environment["QUERN_" + key.rawValue.uppercased()] ?? file[key.rawValue]
    }

    func integer(_ key: Key, flag: Int? = nil) throws -> Int? {
        if let flag { return flag }
        guard let text = value(key) else { return nil }
        guard let number = Int(text) else {
            throw QuernError(.usage, "'\(text)' is not a whole number", at: "setting \(key.rawValue)")
        }
        return number
    }

    /// Bytes of disk for what is read of sources that are not on this machine.
    func sourceCache() throws -> Int {
        guard let text = value(.sourceCache) else { return 4_000_000_000 }
        if text == "0" { return 0 }
        return Int(clamping: try ByteCount.parse(text))
    }

    /// What the coordinator is shown: `QUERN_TOKEN`, or what the file holds that `QUERN_TOKEN_FILE` or `token_file` names.
    /// Never a flag: command lines can be seen by others.
    func token() throws -> String? {
        if let token = environment["QUERN_TOKEN"] { return try Self.checked(token, at: "QUERN_TOKEN") }
        guard let path = value(.tokenFile) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw QuernError(.notFound, "the file of the token cannot be read", at: path)
        }
        return try Self.checked(String(decoding: data, as: UTF8.self), at: path)
    }

    private static func checked(_ text: String, at place: String) throws -> String {
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw QuernError(
                .usage, "there is no token", at: place, remedy: "It is one word, as quern token create prints it")
        }
        return token
    }

    private static func parse(_ text: String, path: String) throws -> [String: String] {
        guard let node = try YAMLText.compose(text, name: path) else { return [:] }
        guard let mapping = node.mapping else {
            throw QuernError(.usage, "expected lines of the form 'setting: value'", at: path)
        }
        var values: [String: String] = [:]
        for (key, value) in mapping {
            guard let name = key.string, Key(rawValue: name) != nil else {
                throw QuernError(
                    .usage, "unknown setting '\(key.string ?? "?")'", at: "\(path) line \(key.mark?.line ?? 0)",
                    remedy: "Known are \(Key.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            guard let scalar = value.scalar?.string else {
                throw QuernError(.usage, "setting '\(name)' must be a single value", at: path)
            }
            values[name] = scalar
        }
        return values
    }
}
