import Foundation
import QuernFormats

/// What the environment and the files of the AWS command line say: credentials, region, endpoints.
package struct AWSSettings: Sendable {
    /// Without empty variables.
    let environment: [String: String]
    let profiles: AWSProfiles
    /// The profile that is meant where none is named.
    let profile: String
    /// Whether the caller named it: such a one comes before the variables.
    let isAsked: Bool
    private let configuration: [String: String]

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
        self.profile = profile ?? environment["AWS_PROFILE"] ?? "default"
        isAsked = profile != nil
        profiles = AWSProfiles(environment: environment, read: read)
        configuration = profiles.configuration(of: self.profile) ?? [:]
    }

    package var region: String? {
        environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? configuration["region"]
    }

    /// A URL, where S3 is not Amazon's.
    package var endpoint: String? { endpoint(of: "S3") }

    /// A URL, where a service is not Amazon's.
    /// - Parameter service: in capitals, as in `AWS_ENDPOINT_URL_STS`.
    func endpoint(of service: String) -> String? {
        environment["AWS_ENDPOINT_URL_\(service)"] ?? environment["AWS_ENDPOINT_URL"] ?? configuration["endpoint_url"]
    }
}
