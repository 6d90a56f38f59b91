import Foundation
import QuernFormats

/// The metadata service of a machine of EC2, version 2, as the Amazon EC2 user guide describes it: a token is fetched
/// with PUT and shown with every further request. Version 1, which knows no token, is never spoken.
package struct InstanceMetadata: Sendable, Hashable {
    /// Without a slash at the end.
    private let endpoint: String
    /// For one answer.
    private let timeout: Duration
    private let attempts: Int
    /// What was looked at before, for people.
    private let looked: [String]

    private static let folder = "/latest/meta-data/iam/security-credentials/"

    /// Nil where it is switched off.
    /// - Parameter looked: what was looked at before, for people.
    /// - Throws: `.usage` where a variable says what makes no sense.
    init?(environment: [String: String], looked: [String]) throws {
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else { return nil }
        let isSix = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
        let usual = isSix ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
        var endpoint = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? usual
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        guard WebOrigin(endpoint) != nil else {
            throw QuernError(
                .usage, "'\(endpoint)' is no address", at: "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                remedy: "Give it as http://HOST, or unset it")
        }
        func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
            guard let text = environment[name] else { return 1 }
            guard let number = Int(text), range.contains(number) else {
                throw QuernError(
                    .usage, "'\(text)' is no number between \(range.lowerBound) and \(range.upperBound)", at: name,
                    remedy: "Correct it, or unset it")
            }
            return number
        }
        self.endpoint = endpoint
        timeout = .seconds(try number("AWS_METADATA_SERVICE_TIMEOUT", 1...60))
        attempts = try number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1...10)
        self.looked = looked
    }

    /// Why there are no credentials, where there never were any: most likely this is no machine of EC2.
    func none(_ reason: QuernError) -> QuernError {
        AWSSettings.none(looked + ["the metadata service (\(reason.location): \(reason.message))"])
    }

    func credentials() async throws -> S3Credentials {
        var attempt = 1
        while true {
            do {
                return try await ask()
            } catch let error as QuernError where error.code == .unavailable && attempt < attempts {
                attempt += 1
            }
        }
    }

    private func ask() async throws -> S3Credentials {
        let token = try await text(
            "PUT", "/latest/api/token", (name: "X-aws-ec2-metadata-token-ttl-seconds", value: "21600"))
        let shown = (name: "X-aws-ec2-metadata-token", value: token)
        let role = try await text("GET", Self.folder, shown)
        let path = Self.folder + pathSegment(role)
        let answer = try await answer("GET", path, shown)
        return try answer.credentials(from: endpoint + path, source: "the metadata service of this machine")
    }

    private func answer(
        _ method: String, _ path: String, _ header: (name: String, value: String)
    ) async throws -> CredentialAnswer {
        try await CredentialRequest(method: method, url: endpoint + path, headers: [header], timeout: timeout).send()
    }

    /// The one word of an answer.
    /// - Throws: `.unavailable` where there is none: a machine may get a role later.
    private func text(
        _ method: String, _ path: String, _ header: (name: String, value: String)
    ) async throws -> String {
        let answer = try await answer(method, path, header)
        let text = answer.text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        guard answer.status == 200, !text.isEmpty, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw QuernError(
                .unavailable,
                answer.status == 404 && path == Self.folder
                    ? "this machine has no role" : "answered with HTTP status \(answer.status)",
                at: endpoint + path, remedy: "Give the machine a role, and let it answer version 2")
        }
        return text
    }
}
