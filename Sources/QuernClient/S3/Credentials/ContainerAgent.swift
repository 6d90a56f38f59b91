import Foundation
import QuernFormats

/// The agent that gives credentials to a container: of ECS, or of EKS Pod Identity. As the AWS SDKs and Tools reference
/// guide describes it under "Container credential provider".
package struct ContainerAgent: Sendable, Hashable {
    private let url: String
    /// File of a token for the header `Authorization`, read with every request, for it is replaced before it expires.
    private let tokenFile: String?
    private let token: String?

    /// ECS, EKS by IPv4 and by IPv6.
    private static let agents = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]

    /// Nil where no variable names one.
    /// - Throws: `.usage` where it is named by an address that credentials must not come from.
    init?(environment: [String: String]) throws {
        if let path = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
            url = "http://\(Self.agents[0])\(path.hasPrefix("/") ? "" : "/")\(path)"
        } else if let whole = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            guard let origin = WebOrigin(whole), origin.scheme == "https" || Self.isNear(origin.host) else {
                throw QuernError(
                    .usage, "credentials are not asked for in the open beyond this machine", at: whole,
                    remedy: "Let AWS_CONTAINER_CREDENTIALS_FULL_URI begin with https, or name the loopback or one of "
                        + Self.agents.joined(separator: ", "))
            }
            url = whole
        } else {
            return nil
        }
        tokenFile = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
        token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    }

    /// - Parameter host: in lower case.
    private static func isNear(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" || agents.contains(host) { return true }
        var address = in_addr()
        // Only the full form: others are read differently by different programs.
        return inet_pton(AF_INET, host, &address) == 1 && UInt32(bigEndian: address.s_addr) >> 24 == 127
    }

    func credentials() async throws -> S3Credentials {
        var headers = [(name: "Accept", value: "application/json")]
        if let token = try authorization() { headers.append(("Authorization", token)) }
        let request = CredentialRequest(url: url, headers: headers, timeout: CredentialRequest.local)
        return try await request.send().credentials(from: url, source: "the agent of the container")
    }

    private func authorization() throws -> String? {
        var text = token
        if let tokenFile {
            guard let content = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
                throw QuernError(
                    .unauthorized, "the token for the container's agent cannot be read", at: tokenFile,
                    remedy: "Check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            }
            text = content
        }
        guard let text = text?.trimmingCharacters(in: .whitespacesAndNewlines) else { return nil }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw QuernError(
                .unauthorized, "the token for the container's agent is none",
                at: tokenFile ?? "AWS_CONTAINER_AUTHORIZATION_TOKEN", remedy: "It is one line of plain characters")
        }
        return text
    }
}
