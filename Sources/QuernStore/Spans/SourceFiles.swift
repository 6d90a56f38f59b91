import QuernFormats
import Synchronization

/// The source files of an item, opened when first needed and held to be what they were when the job was planned.
/// Threads may share it.
public final class SourceFiles: Sendable {
    private let files: [SourceFile]
    private let open = Mutex<[Int: any CheckpointFile]>([:])
    /// Of matrices in them that are computed by the block.
    public let recent = RecentBlocks()

    public init(_ files: [SourceFile]) { self.files = files }

    /// - Throws: `.conflict` where the file has changed since, `.notFound` where it is gone.
    public func file(_ index: Int) throws -> any CheckpointFile {
        try open.withLock { open in
            if let file = open[index] { return file }
            guard files.indices.contains(index) else {
                throw QuernError(.invalidInput, "the work item names no source file \(index)")
            }
            let file = try Self.openUnchanged(files[index])
            open[index] = file
            return file
        }
    }

    /// To be called when all has been read: what was read is what was planned only if no file changed meanwhile.
    public func checkUnchanged() throws {
        for index in open.withLock({ Array($0.keys) }) { _ = try Self.openUnchanged(files[index]) }
    }

    public static func openUnchanged(_ planned: SourceFile) throws -> any CheckpointFile {
        try SourcePlace.file(
            planned.path, size: planned.size, modified: planned.modified, version: planned.version)
    }
}
