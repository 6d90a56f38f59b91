import Foundation
import QuernFormats

/// The profiles in the two files of the AWS command line.
struct AWSProfiles: Sendable {
    /// The configuration file.
    let configurationPath: String
    /// The credentials file.
    let secretsPath: String
    private let configuration: String
    private let secrets: String

    /// - Parameters:
    ///   - environment: without empty variables.
    ///   - read: the text of a file; nil where there is none.
    init(environment: [String: String], read: (String) -> String?) {
        let home = environment["HOME"] ?? NSHomeDirectory()
        secretsPath = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? home + "/.aws/credentials"
        configurationPath = environment["AWS_CONFIG_FILE"] ?? home + "/.aws/config"
        secrets = read(secretsPath) ?? ""
        configuration = read(configurationPath) ?? ""
    }

    /// What the credentials file says of a profile; nil where it does not name it.
    func secrets(of profile: String) -> [String: String]? { Self.section([profile], of: secrets) }

    /// What the configuration file says of a profile; nil where it does not name it.
    func configuration(of profile: String) -> [String: String]? {
        // There, and only there, all profiles but the default one are called `profile NAME`.
        Self.section(
            profile == "default" ? [profile, "profile default"] : ["profile \(profile)"], of: configuration)
    }

    /// Both together; the credentials file comes first. Nil where neither names the profile.
    func profile(_ name: String) -> [String: String]? {
        let (secrets, configuration) = (secrets(of: name), configuration(of: name))
        guard secrets != nil || configuration != nil else { return nil }
        return (configuration ?? [:]).merging(secrets ?? [:]) { $1 }
    }

    /// The settings under any of the headings. Indented lines belong to a setting above them, and none of those matter.
    private static func section(_ names: [String], of text: String) -> [String: String]? {
        var values: [String: String]?
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) where !(line.first?.isWhitespace ?? true) {
            guard line.first != "#", line.first != ";" else { continue }
            if line.first == "[" {
                let heading = line.dropFirst().prefix { $0 != "]" }
                isInside = names.contains(heading.split(whereSeparator: \.isWhitespace).joined(separator: " "))
                if isInside { values = values ?? [:] }
                continue
            }
            guard isInside, let equals = line.firstIndex(of: "=") else { continue }
            let name = line[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
            let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            if !value.isEmpty { values?[name] = value }
        }
        return values
    }
}
