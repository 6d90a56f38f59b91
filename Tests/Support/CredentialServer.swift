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

    private let server: RecordingServer<Request>

    public init() async throws { server = try await RecordingServer("credential_server.py") }

    public var endpoint: String { server.endpoint }

    /// All requests so far, in their order.
    public func requests() throws -> [Request] { try server.requests() }
}
