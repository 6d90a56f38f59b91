import Foundation
import NIOCore
import QuernClient
import QuernFormats
import QuernStore

/// Objects in the open bucket of the tests' S3 server, put there as any program may.
public enum S3Objects {
    public static func put(_ bytes: [UInt8], to key: String) async throws {
        let server = try await S3Server.shared
        let request = S3Request(
            method: "PUT", scheme: "http", host: "127.0.0.1:\(server.port)", path: "/\(S3Server.bucket)/\(key)",
            payload: .sha256(Digest(of: bytes)))
        let credentials = S3Credentials(
            accessKey: server.accessKey, secretKey: server.secretKey, source: "the test")
        let headers = S3Signer(credentials: credentials, region: "us-east-1")
            .headers(for: request, at: S3Time(Date()))
        let response = try await S3Client.send(request, headers: headers, body: ByteBuffer(bytes: bytes))
        guard response.status < 300 else { throw QuernError(.io, "status \(response.status)", at: key) }
    }

    /// All files directly in a folder.
    public static func put(folder: String, under prefix: String) async throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
            try await put([UInt8](bytes), to: "\(prefix)/\(name)")
        }
    }
}
