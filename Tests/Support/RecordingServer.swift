import Foundation
import QuernFormats

/// A script that serves HTTP, says its `port` when it is ready, and writes a line of JSON for each request to the file
/// that its last argument names.
final class RecordingServer<Request: Decodable & Sendable>: Sendable {
    let endpoint: String
    private let server: ScriptServer
    private let folder: TemporaryFolder

    init(_ name: String, _ arguments: [String] = []) async throws {
        let script = ScriptServer.path(of: name)
        folder = try TemporaryFolder()
        let started = try await ScriptServer.start(
            "/usr/bin/env", ["python3", script] + arguments + [folder.path("requests")], as: ServedPort.self)
        guard let ready = started.ready else {
            throw QuernError(.internalFault, "it does not start", at: script, remedy: "Is python3 there?")
        }
        server = started.server
        endpoint = "http://127.0.0.1:\(ready.port)"
    }

    /// All requests so far, in their order.
    func requests() throws -> [Request] {
        try String(contentsOfFile: folder.path("requests"), encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Request.self, from: Data($0.utf8))
        }
    }
}

private struct ServedPort: Decodable { let port: Int }
