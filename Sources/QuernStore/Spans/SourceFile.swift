/// A source file as it was when the job was planned. A worker that finds another size or time refuses to go on.
public struct SourceFile: Sendable, Codable, Hashable {
    /// Where to open it: an absolute path.
    public let path: String
    /// Its base name, the only part that reaches a manifest.
    public let name: String
    public let size: UInt64
    /// Modification time in nanoseconds since 1970.
    public let modified: Int64
    public init(path: String, name: String, size: UInt64, modified: Int64) {
        self.path = path
        self.name = name
        self.size = size
        self.modified = modified
    }
}
