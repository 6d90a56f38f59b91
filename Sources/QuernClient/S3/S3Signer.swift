import Crypto
import Foundation
import QuernStore

/// Signs requests to S3 with AWS Signature Version 4, as the Amazon S3 API reference describes it under
/// "Authenticating Requests (AWS Signature Version 4)". A pure function of request, credentials, region and time.
package struct S3Signer: Sendable {
    private static let algorithm = "AWS4-HMAC-SHA256"

    let credentials: S3Credentials
    let region: String
    private let service: String

    /// - Parameters:
    ///   - region: as AWS names it: `eu-central-1`.
    ///   - service: another one that signs in the same way: `sts`.
    package init(credentials: S3Credentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// Signs in headers.
    /// - Returns: all headers to send with the request, `Host` and `Authorization` included.
    package func headers(for request: S3Request, at time: S3Time) -> [(name: String, value: String)] {
        var headers = request.headers
        headers.append(("Host", request.host))
        headers.append(("x-amz-content-sha256", request.payload.text))
        headers.append(("x-amz-date", time.text))
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        let (canonical, names) = Self.canonical(headers)
        let signature = signature(
            of: request, query: request.canonicalQuery, headers: canonical, names: names, at: time)
        let credential = "\(credentials.accessKey)/\(scope(at: time))"
        headers.append(
            (
                "Authorization",
                "\(Self.algorithm) Credential=\(credential),SignedHeaders=\(names),Signature=\(signature)"
            ))
        return headers
    }

    /// Signs in the address, so that whoever has it can send the request, with the request's headers as they are, until
    /// the time is over.
    /// - Parameter seconds: for how long the address is good: 1 to 604,800.
    package func presignedURL(for request: S3Request, at time: S3Time, validFor seconds: Int) -> String {
        let (canonical, names) = Self.canonical(request.headers + [("Host", request.host)])
        var request = request
        request.query += [
            ("X-Amz-Algorithm", Self.algorithm),
            ("X-Amz-Credential", "\(credentials.accessKey)/\(scope(at: time))"),
            ("X-Amz-Date", time.text),
            ("X-Amz-Expires", String(seconds)),
            ("X-Amz-SignedHeaders", names),
        ]
        if let token = credentials.sessionToken { request.query.append(("X-Amz-Security-Token", token)) }
        let query = request.canonicalQuery
        let signature = signature(of: request, query: query, headers: canonical, names: names, at: time)
        return "\(request.url)&X-Amz-Signature=\(signature)"
    }

    private func signature(
        of request: S3Request, query: String, headers: String, names: String, at time: S3Time
    ) -> String {
        let canonical = [
            request.method, request.canonicalPath, query, headers, names, request.payload.text,
        ].joined(separator: "\n")
        let text = [
            Self.algorithm, time.text, scope(at: time), QuernStore.Digest(of: Array(canonical.utf8)).hex,
        ].joined(separator: "\n")
        var key = SymmetricKey(data: Data("AWS4\(credentials.secretKey)".utf8))
        for part in [String(time.day), region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key))
        }
        return HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key)
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func scope(at time: S3Time) -> String { "\(time.day)/\(region)/\(service)/aws4_request" }

    /// Headers one to a line, by lower-case name in the order of bytes, those of one name joined; and their names.
    private static func canonical(_ headers: [(name: String, value: String)]) -> (lines: String, names: String) {
        var values: [String: [String]] = [:]
        for (name, value) in headers { values[name.lowercased(), default: []].append(trimmed(value)) }
        let names = values.keys.sorted(by: bytesPrecede)
        let lines = names.map { "\($0):\(values[$0, default: []].joined(separator: ","))\n" }.joined()
        return (lines, names.joined(separator: ";"))
    }

    /// Without spaces at the ends, and with one where there are several.
    private static func trimmed(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
}
