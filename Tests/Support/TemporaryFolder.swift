import Foundation

/// A folder of its own that goes away with the last reference to it.
public final class TemporaryFolder: Sendable {
    public let path: String
    public var url: URL { URL(fileURLWithPath: path, isDirectory: true) }

    public init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("quern-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of an entry, whether it exists or not.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, making the folders it lies in.
    /// - Returns: its path.
    @discardableResult
    public func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        let file = try prepare(name)
        try Data(bytes).write(to: file)
        return file.path
    }

    /// Writes a file of text.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String { try write(text.utf8, to: name) }

    /// Makes a symbolic link called `name` that points to `target`, taken as it is.
    public func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: prepare(name).path, withDestinationPath: target)
    }

    private func prepare(_ name: String) throws -> URL {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        return file
    }
}
