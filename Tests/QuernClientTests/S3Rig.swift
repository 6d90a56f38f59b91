import Foundation
import NIOCore
import QuernClient
import QuernFormats
import QuernStore
import Synchronization
import TestSupport

/// A part of a bucket of its own on the tests' S3 server, and what was asked of the server about it.
final class S3Rig: Sendable {
    private let server: S3Server
    private let url: String
    private let style: S3Location.Style
    private let secret: String
    private let seen = Mutex<[String]>([])

    /// The methods of all requests, in order.
    var requests: [String] { seen.withLock { $0 } }

    /// - Parameters:
    ///   - style: with `virtual`, requests are for the host that the bucket would have at Amazon, and sent to the server.
    ///   - secret: instead of the secret key that is right.
    init(
        bucket: String = S3Server.bucket, style: S3Location.Style = .path, secret: String? = nil
    ) async throws {
        server = try await S3Server.shared
        // Characters that some encode twice, and some not at all.
        url = "s3://\(bucket)/tests/a b+c=\u{fc}&(~)'/\(UUID().uuidString)"
        self.style = style
        self.secret = secret ?? server.secretKey
    }

    private var client: S3Client {
        get throws {
            let environment = style == .path ? server.environment : ["AWS_REGION": "us-east-1"]
            let credentials = S3Credentials(accessKey: server.accessKey, secretKey: secret, source: "the test")
            let target = "127.0.0.1:\(server.port)"
            return S3Client(
                location: try S3URL(url).location(AWSSettings(environment: environment) { _ in nil }),
                credentials: AWSCredentials(credentials)
            ) { [self] request, headers, body in
                seen.withLock { $0.append(request.method) }
                var request = request
                request.scheme = "http"
                request.host = target
                return try await S3Client.send(request, headers: headers, body: body)
            }
        }
    }

    func store() throws -> S3BlobStore { S3BlobStore(client: try client) }

    /// An address that was signed so many seconds from now, for as long as the store's are good.
    func downloadURL(of digest: Digest, signed seconds: Double) async throws -> String {
        let client = try client
        let request = S3Request(
            method: "GET", scheme: "http", host: client.location.host,
            path: "/\(S3Server.bucket)/\(client.location.prefix)\(S3BlobStore.key(of: digest))", payload: .unsigned)
        return S3Signer(credentials: try await client.credentials.current(), region: client.location.region)
            .presignedURL(for: request, at: S3Time(Date(timeIntervalSinceNow: seconds)), validFor: 300)
    }

    /// Puts other bytes where a blob lies, as no store does; nil removes it.
    func overwrite(_ digest: Digest, with bytes: [UInt8]?) async throws {
        let client = try client
        let request = S3Request(
            method: bytes == nil ? "DELETE" : "PUT", scheme: "http", host: client.location.host,
            path: "/\(S3Server.bucket)/\(client.location.prefix)\(S3BlobStore.key(of: digest))",
            payload: .sha256(Digest(of: bytes ?? [])))
        let headers = S3Signer(credentials: try await client.credentials.current(), region: client.location.region)
            .headers(for: request, at: S3Time(Date()))
        let response = try await S3Client.send(request, headers: headers, body: bytes.map { ByteBuffer(bytes: $0) })
        guard response.status < 300 else { throw QuernError(.io, "status \(response.status)") }
    }
}
