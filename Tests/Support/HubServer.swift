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

    private let server: RecordingServer<Request>

    public var endpoint: String { server.endpoint }

    /// What a program needs in its environment to use the hub, and no token of this machine's user.
    public var environment: [String: String] {
        ["HF_ENDPOINT": endpoint, "HF_TOKEN": "", "HF_HOME": "/nonexistent", "HF_TOKEN_PATH": ""]
    }

    /// - Parameter root: folder of the models: what lies in `root/NAME` is `ORGANIZATION/NAME`.
    public init(root: String) async throws {
        server = try await RecordingServer("hub_server.py", [root])
    }

    /// All requests so far, in their order.
    public func requests() throws -> [Request] { try server.requests() }
}
