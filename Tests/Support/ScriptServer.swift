import Foundation
import QuernFormats

/// A server that is a Python script: it prints a line of JSON once it is ready, and ends when its input does.
public final class ScriptServer: Sendable {
    private let process: Process
    /// Kept open for as long as the server is wanted.
    private let input = Pipe()

    /// The path of a script beside this file.
    static func path(of script: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(script).path
    }

    /// - Returns: what it said when it was ready; nil where it did not start.
    static func start<Ready: Decodable>(
        _ executable: String, _ arguments: [String], as type: Ready.Type
    ) async throws -> (server: ScriptServer, ready: Ready?) {
        let output = Pipe()
        let server = try ScriptServer(executable, arguments, output: output)
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
        return (server, try? JSONDecoder().decode(type, from: line))
    }

    private init(_ executable: String, _ arguments: [String], output: Pipe) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        // A child of another test would keep the server alive.
        _ = fcntl(input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        try process.run()
    }

    deinit { if process.isRunning { process.terminate() } }
}
