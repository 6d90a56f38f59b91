import Foundation
import QuernFormats
import QuernStore

/// Amazon's Security Token Service, or one that speaks its language, as the AWS STS API reference describes it.
struct SecurityTokenService: Sendable, Hashable {
    private let scheme: String
    /// With the port, unless it is the scheme's own.
    private let host: String
    private let region: String

    private var url: String { "\(scheme)://\(host)/" }

    /// - Parameters:
    ///   - endpoint: a URL, where it is not Amazon's.
    ///   - region: whose service is asked; nil for the one that is nowhere in particular.
    /// - Throws: `.usage` where one of them makes no sense.
    init(endpoint: String?, region: String?) throws {
        self.region = region ?? "us-east-1"
        guard let endpoint else {
            // It becomes a part of the host's name.
            guard self.region.utf8.allSatisfy({ S3Location.isLetter($0) || $0 == UInt8(ascii: "-") }) else {
                throw QuernError(.usage, "'\(self.region)' is no region", at: "AWS_REGION")
            }
            scheme = "https"
            host = region.map { "sts.\($0).amazonaws.com\($0.hasPrefix("cn-") ? ".cn" : "")" } ?? "sts.amazonaws.com"
            return
        }
        guard let origin = WebOrigin(endpoint) else {
            throw QuernError(
                .usage, "'\(endpoint)' is no address of a token service", at: "AWS_ENDPOINT_URL_STS",
                remedy: "Give it as https://HOST")
        }
        (scheme, host) = (origin.scheme, origin.name)
    }

    /// - Parameters:
    ///   - parameters: of the action, not encoded.
    ///   - credentials: who asks; nil where the parameters prove it.
    ///   - source: see `S3Credentials.source`.
    /// - Throws: `.unauthorized` where it refuses, `.unavailable`.
    func credentials(
        _ action: String, _ parameters: [(name: String, value: String)], by credentials: S3Credentials?, source: String
    ) async throws -> S3Credentials {
        let fields = [(name: "Action", value: action), (name: "Version", value: "2011-06-15")] + parameters
        let body = fields.map { "\($0.name)=\(pathSegment($0.value))" }.joined(separator: "&")
        var headers = [(name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")]
        if let credentials {
            let request = S3Request(
                method: "POST", scheme: scheme, host: host, path: "/", headers: headers,
                payload: .sha256(Digest(of: Array(body.utf8))))
            headers = S3Signer(credentials: credentials, region: region, service: "sts")
                .headers(for: request, at: S3Time(Date()))
        }
        let request = CredentialRequest(
            method: "POST", url: url, headers: headers, body: body, timeout: CredentialRequest.remote)
        return try read(try await request.send(), action, source)
    }

    private func read(_ answer: CredentialAnswer, _ action: String, _ source: String) throws -> S3Credentials {
        func element(_ name: String) -> String? {
            S3Refusal.element(name, of: answer.text).flatMap(S3Listing.plain)
        }
        guard answer.status == 200 else {
            let code = element("Code") ?? ""
            let said = [action, code, element("Message") ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
            // These may be over in a moment, whatever the status says.
            let isPassing = ["IDPCommunicationError", "Throttling", "ThrottlingException"].contains(code)
            throw CredentialAnswer.refusal(isPassing ? 503 : answer.status, said, at: url)
        }
        guard let access = element("AccessKeyId"), let secret = element("SecretAccessKey"),
            let token = element("SessionToken"), let expires = element("Expiration")
        else { throw CredentialAnswer.refusal(502, "\(action): the answer holds no credentials", at: url) }
        return S3Credentials(
            accessKey: access, secretKey: secret, sessionToken: token,
            expires: try CredentialAnswer.date(expires, at: url), source: source)
    }
}

/// A role that is assumed by showing a token, which a file holds: in EKS, that of the pod's service account.
package struct WebIdentity: Sendable, Hashable {
    /// Read with every request, for the token is replaced before it expires.
    let tokenFile: String
    /// An ARN.
    let role: String
    let session: String
    let service: SecurityTokenService

    func credentials() async throws -> S3Credentials {
        let text = try? String(contentsOfFile: tokenFile, encoding: .utf8)
        guard let token = text?.trimmingCharacters(in: .whitespacesAndNewlines), !token.isEmpty else {
            throw QuernError(
                .unauthorized, "the token of the web identity cannot be read", at: tokenFile,
                remedy: "Check AWS_WEB_IDENTITY_TOKEN_FILE")
        }
        let parameters = [("RoleArn", role), ("RoleSessionName", session), ("WebIdentityToken", token)]
        return try await service.credentials(
            "AssumeRoleWithWebIdentity", parameters, by: nil, source: "the web identity in \(tokenFile)")
    }
}

/// A role that a profile names, and whose credentials may assume it.
package struct AssumedRole: Sendable, Hashable {
    /// Of the role.
    let arn: String
    let session: String
    let externalID: String?
    /// For how long, in [900, 43200]; nil for the usual hour.
    let seconds: Int?
    let source: AWSCredentialSource
    let service: SecurityTokenService
    /// For people: the profile.
    let place: String

    func credentials() async throws -> S3Credentials {
        var parameters = [("RoleArn", arn), ("RoleSessionName", session)]
        if let externalID { parameters.append(("ExternalId", externalID)) }
        if let seconds { parameters.append(("DurationSeconds", String(seconds))) }
        return try await service.credentials(
            "AssumeRole", parameters, by: try await source.fetch(), source: "the role of \(place)")
    }
}
