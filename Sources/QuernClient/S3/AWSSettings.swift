import Foundation
import QuernFormats

/// What the environment and the files of the AWS command line say: credentials, region, endpoint.
package struct AWSSettings: Sendable {
    private let environment: [String: String]
    /// The profile's settings in the configuration file and in the credentials file.
    private let configuration: [String: String]
    private let secrets: [String: String]
    private let profile: String
    private let secretsPath: String

    /// - Parameters:
    ///   - environment: variables that are empty count as missing.
    ///   - profile: before `AWS_PROFILE`; `default` where neither names one.
    ///   - read: the text of a file; nil where there is none.
    package init(
        environment: [String: String], profile: String? = nil,
        read: (String) -> String? = { try? String(contentsOfFile: $0, encoding: .utf8) }
    ) {
        let environment = environment.filter { !$0.value.isEmpty }
        self.environment = environment
        let name = profile ?? environment["AWS_PROFILE"] ?? "default"
        self.profile = name
        let home = environment["HOME"] ?? NSHomeDirectory()
        secretsPath = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? home + "/.aws/credentials"
        let configurationPath = environment["AWS_CONFIG_FILE"] ?? home + "/.aws/config"
        secrets = Self.section([name], of: read(secretsPath) ?? "")
        // There, and only there, all profiles but the default one are called `profile NAME`.
        configuration = Self.section(
            name == "default" ? [name, "profile default"] : ["profile \(name)"], of: read(configurationPath) ?? "")
    }

    /// The variables first, then the profile: as the AWS command line does it. A profile that was asked for by name
    /// comes before the variables.
    /// - Throws: `.unauthorized` where there are none.
    package func credentials(asked: Bool = false) throws -> S3Credentials {
        if !asked, let access = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"] {
            return S3Credentials(
                accessKey: access, secretKey: secret, sessionToken: environment["AWS_SESSION_TOKEN"],
                source: "AWS_ACCESS_KEY_ID")
        }
        for values in [secrets, configuration] {
            if let access = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] {
                return S3Credentials(
                    accessKey: access, secretKey: secret, sessionToken: values["aws_session_token"],
                    source: "profile '\(profile)'")
            }
        }
        throw QuernError(
            .unauthorized, "there are no credentials for S3", at: "profile '\(profile)' in \(secretsPath)",
            remedy: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to that file")
    }

    package var region: String? {
        environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? configuration["region"]
    }

    /// A URL, where S3 is not Amazon's.
    package var endpoint: String? {
        environment["AWS_ENDPOINT_URL_S3"] ?? environment["AWS_ENDPOINT_URL"] ?? configuration["endpoint_url"]
    }

    /// The settings under any of the headings. Indented lines belong to a setting above them, and none of those matter.
    private static func section(_ names: [String], of text: String) -> [String: String] {
        var values: [String: String] = [:]
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) where !(line.first?.isWhitespace ?? true) {
            guard line.first != "#", line.first != ";" else { continue }
            if line.first == "[" {
                let heading = line.dropFirst().prefix { $0 != "]" }
                isInside = names.contains(heading.split(whereSeparator: \.isWhitespace).joined(separator: " "))
                continue
            }
            guard isInside, let equals = line.firstIndex(of: "=") else { continue }
            let name = line[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
            let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            if !value.isEmpty { values[name] = value }
        }
        return values
    }
}
