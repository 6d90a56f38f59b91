import Foundation
import Glibc

/// A file system in memory that is soon full. Needs the right to mount, which root has.
public final class SmallDisk: Sendable {
    private let folder: TemporaryFolder
    public var path: String { folder.path }

    /// Whether this process may mount one.
    public static let isAvailable: Bool = (try? SmallDisk(bytes: 1 << 16)) != nil

    public init(bytes: Int) throws {
        folder = try TemporaryFolder()
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw CocoaError(.fileWriteNoPermission)
        }
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }
}
