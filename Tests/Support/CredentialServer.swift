import Foundation
import QuernFormats

/// `credential_server.py`; gone with this object.
public final class CredentialServer: Sendable {
    /// A request that it was sent.
    public struct Request: Sendable, Decodable {
        public let method: String
        public let path: String
        /// By lower-case name.
        public let headers: [String: String]
        /// Of a form.
        public let fields: [String: String]
    }

    public let endpoint: String
    private let server: ScriptServer
    private let folder: TemporaryFolder

    public init() async throws {
        struct Ready: Decodable { let port: Int }
        let script = ScriptServer.path(of: "credential_server.py")
        folder = try TemporaryFolder()
        let started = try await ScriptServer.start(
            "/usr/bin/env", ["python3", script, folder.path("requests")], as: Ready.self)
        guard let ready = started.ready else {
            throw QuernError(.internalFault, "it does not start", at: script, remedy: "Is python3 there?")
        }
        server = started.server
        endpoint = "http://127.0.0.1:\(ready.port)"
    }

    /// All requests so far, in their order.
    public func requests() throws -> [Request] {
        try String(contentsOfFile: folder.path("requests"), encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Request.self, from: Data($0.utf8))
        }
    }
}
