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
    private let process: Process
    private let input = Pipe()
    private let folder: TemporaryFolder

    /// What a program needs in its environment to use the hub, and no token of this machine's user.
    public var environment: [String: String] {
        ["HF_ENDPOINT": endpoint, "HF_TOKEN": "", "HF_HOME": "/nonexistent", "HF_TOKEN_PATH": ""]
    }

    /// - Parameter root: folder of the models: what lies in `root/NAME` is `ORGANIZATION/NAME`.
    public init(root: String) async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("hub_server.py")
        folder = try TemporaryFolder()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script.path, root, folder.path("requests")]
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        _ = fcntl(input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        try process.run()
        self.process = process
        struct Ready: Decodable { let port: Int }
        let line = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var line = Data()
                while line.last != UInt8(ascii: "\n") {
                    let more = output.fileHandleForReading.availableData
                    if more.isEmpty { break }
                    line += more
                }
                continuation.resume(returning: line)
            }
        }
        guard let ready = try? JSONDecoder().decode(Ready.self, from: line) else {
            throw QuernError(.internalFault, "the hub does not start", at: script.path, remedy: "Is python3 there?")
        }
        endpoint = "http://127.0.0.1:\(ready.port)"
    }

    deinit { if process.isRunning { process.terminate() } }

    /// All requests so far, in their order.
    public func requests() throws -> [Request] {
        try String(contentsOfFile: folder.path("requests"), encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Request.self, from: Data($0.utf8))
        }
    }
}
