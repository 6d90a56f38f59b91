import QuernFormats

/// A source file as it was when the job was planned. A worker that finds another size, time or version refuses to go on.
public struct SourceFile: Sendable, Codable, Hashable {
    /// Where to open it: an absolute path, or a URL without secrets.
    public let path: String
    /// Its base name, the only part that reaches a manifest.
    public let name: String
    public let size: UInt64
    /// Modification time in nanoseconds since 1970; 0 where there is a version.
    public let modified: Int64
    /// As `CheckpointFile` has it; nil for files of a machine.
    public let version: String?

    public init(path: String, name: String, size: UInt64, modified: Int64, version: String? = nil) {
        self.path = path
        self.name = name
        self.size = size
        self.modified = modified
        self.version = version
    }

    public init(_ file: any CheckpointFile) {
        self.init(
            path: file.name, name: SourcePlace.name(of: file.name), size: file.size, modified: file.modified,
            version: file.version)
    }

    /// The sha256 of its bytes, where that is what its version says: `sha256:<hex>`.
    public var knownDigest: Digest? {
        guard let version, version.hasPrefix("sha256:") else { return nil }
        return Digest(hex: String(version.dropFirst("sha256:".count)))
    }
}
