import Foundation
import QuernFormats
import Synchronization

/// moto's S3 server, which checks signatures and rights; started for the tests of one process and gone with it.
public struct S3Server: Sendable {
    /// Of the buckets, the one in which the key may do anything.
    public static let bucket = "quern-open"
    /// The one in which it may do nothing, and one that there is not.
    public static let closedBucket = "quern-closed"
    public static let missingBucket = "quern-missing"

    private let server: ScriptServer
    /// Of 127.0.0.1.
    public let port: Int
    public let accessKey: String
    public let secretKey: String
    /// ARN of a role that the key may assume, which may do anything in the closed bucket.
    public let role: String

    public var endpoint: String { "http://127.0.0.1:\(port)" }

    /// What a program needs in its environment to use the server.
    public var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL_S3": endpoint, "AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey,
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        ]
    }

    private static let sharedServer = Mutex<Task<S3Server, any Error>?>(nil)

    /// The server that all tests of this process use; started by the first of them.
    public static var shared: S3Server {
        get async throws {
            try await sharedServer.withLock { task in
                if let task { return task }
                let started = Task { try await start() }
                task = started
                return started
            }.value
        }
    }

    private static func start() async throws -> S3Server {
        let python = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/test-python/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw QuernError(
                .notFound, "moto, an S3 server, is needed for these tests and is not installed", at: python.path,
                remedy: "Run Scripts/prerequisites test")
        }
        struct Ready: Decodable {
            let port: Int
            let access_key: String
            let secret_key: String
            let role: String
        }
        let (server, ready) = try await ScriptServer.start(
            python.path, [ScriptServer.path(of: "s3_server.py")], as: Ready.self)
        guard let ready else {
            throw QuernError(
                .internalFault, "moto's S3 server does not start", at: "Tests/Support/s3_server.py",
                remedy: "Run Scripts/prerequisites test, then \(python.path) on it to see why")
        }
        return S3Server(
            server: server, port: ready.port, accessKey: ready.access_key, secretKey: ready.secret_key,
            role: ready.role)
    }
}
