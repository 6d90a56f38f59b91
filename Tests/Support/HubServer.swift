import Foundation
import QuernFormats

/// `hub_server.py` over a folder of models; gone with this object.
public final class HubServer: Sendable {
    /// A request that it was sent.
    public struct Request: Sendable, Decodable {
        /// `hub` or `storage`.
        public let place: String
        public let method: String
        public let path: String
        public let authorized: Bool
        /// The header `Range`.
        public let range: String?
    }

    /// The one that opens `private` models.
    public static let token = "hf_right"

    public let endpoint: String
    private let server: ScriptServer
    private let folder: TemporaryFolder

    /// What a program needs in its environment to use the hub, and no token of this machine's user.
    public var environment: [String: String] {
        ["HF_ENDPOINT": endpoint, "HF_TOKEN": "", "HF_HOME": "/nonexistent", "HF_TOKEN_PATH": ""]
    }

    /// - Parameter root: folder of the models: what lies in `root/NAME` is `ORGANIZATION/NAME`.
    public init(root: String) async throws {
        struct Ready: Decodable { let port: Int }
        let script = ScriptServer.path(of: "hub_server.py")
        folder = try TemporaryFolder()
        let started = try await ScriptServer.start(
            "/usr/bin/env", ["python3", script, root, folder.path("requests")], as: Ready.self)
        guard let ready = started.ready else {
            throw QuernError(.internalFault, "the hub does not start", at: script, remedy: "Is python3 there?")
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
