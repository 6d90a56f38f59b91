/// A file of a checkpoint, wherever it lies, and what tells whether it is still the one that was planned with.
public protocol CheckpointFile: ByteSource {
    /// Modification time in nanoseconds since 1970; 0 where `version` tells instead.
    var modified: Int64 { get }
    /// What the place it lies at calls these very bytes, such as an ETag; nil for files of this machine.
    var version: String? { get }
}

extension FileByteSource: CheckpointFile {
    public var version: String? { nil }
}
