import Foundation

/// The small files under Tests/Fixtures.
public enum Fixtures {
    /// - Parameter path: relative to Tests/Fixtures: `gguf/granite-header.gguf`.
    public static func url(_ path: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures").appendingPathComponent(path)
    }

    /// Folder of the trained checkpoint that the project ships.
    public static var sample: String {
        url("").deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Examples/tiny-llama")
            .path
    }

    public static func path(_ path: String) -> String { url(path).path }

    public static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: url(path))) }
}
