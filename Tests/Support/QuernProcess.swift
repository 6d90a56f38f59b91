import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The built program, run as users run it.
public final class QuernProcess: Sendable {
    /// What a process that has ended left behind.
    public struct Outcome: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String
    }

    /// `quern` next to the tests, or the file that `QUERN_BINARY` names.
    public static var binary: URL {
        if let path = ProcessInfo.processInfo.environment["QUERN_BINARY"] { return URL(fileURLWithPath: path) }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appendingPathComponent(".build/release/quern")
    }

    private let process: Process
    private let outputFile: URL
    private let errorFile: URL
    private let keepsErrors: Bool

    /// Starts the program; its output goes to files, so that it never waits for a reader.
    /// - Parameters:
    ///   - workingFolder: that of the tests otherwise.
    ///   - launcher: a command that runs another, and becomes it: its path, and what comes before the other's name.
    ///   - errors: file for standard error, which stays when all is over.
    ///   - program: another one that is built with this.
    public init(
        _ arguments: [String], environment: [String: String] = [:], workingFolder: String? = nil,
        launcher: [String] = [], errors: String? = nil, program: URL = QuernProcess.binary
    ) throws {
        let folder = FileManager.default.temporaryDirectory
        let name = UUID().uuidString
        outputFile = folder.appendingPathComponent(name + ".out")
        errorFile = errors.map { URL(fileURLWithPath: $0) } ?? folder.appendingPathComponent(name + ".err")
        keepsErrors = errors != nil
        _ = FileManager.default.createFile(atPath: outputFile.path, contents: nil)
        _ = FileManager.default.createFile(atPath: errorFile.path, contents: nil)
        process = Process()
        let command = launcher + [program.path] + arguments
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let workingFolder { process.currentDirectoryURL = URL(fileURLWithPath: workingFolder, isDirectory: true) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.run()
        Self.running.withLock { _ = $0.insert(process.processIdentifier) }
    }

    private static let running = Mutex<Set<pid_t>>([])

    /// Ends all that were started and have not ended, for when this process is told to end.
    public static func killAll() {
        for identifier in running.withLock({ $0 }) { kill(identifier, SIGKILL) }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        Self.running.withLock { _ = $0.remove(process.processIdentifier) }
        try? FileManager.default.removeItem(at: outputFile)
        if !keepsErrors { try? FileManager.default.removeItem(at: errorFile) }
    }

    public var identifier: pid_t { process.processIdentifier }

    public var isRunning: Bool { process.isRunning }

    public func send(signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits for the end, off the cooperative pool.
    public func outcome() async -> Outcome {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                process.waitUntilExit()
                continuation.resume()
            }
        }
        Self.running.withLock { _ = $0.remove(process.processIdentifier) }
        return Outcome(status: process.terminationStatus, output: text(outputFile), errors: text(errorFile))
    }

    /// Sends a signal as soon as something is so, off the cooperative pool: there other tests that compute would
    /// keep it waiting until the program has ended.
    public func send(signal: Int32, when isDue: @escaping @Sendable () -> Bool) async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                while process.isRunning, !isDue() { usleep(10_000) }
                send(signal: signal)
                continuation.resume()
            }
        }
    }

    /// What it has said on standard error so far.
    public var errorsSoFar: String { text(errorFile) }

    private func text(_ file: URL) -> String {
        String(decoding: (try? Data(contentsOf: file)) ?? Data(), as: UTF8.self)
    }

    /// Runs the program to its end.
    public static func run(
        _ arguments: [String], environment: [String: String] = [:], workingFolder: String? = nil
    ) async throws -> Outcome {
        try await QuernProcess(arguments, environment: environment, workingFolder: workingFolder).outcome()
    }
}

/// A loopback port that nobody listens on at the moment.
public func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
        }
    }
    guard bound else { throw CocoaError(.fileReadUnknown) }
    return Int(UInt16(bigEndian: address.sin_port))
}
