import QuernFormats
import Synchronization

/// Rows of values that are dear to compute a few at a time, for all who read of the same files: no more than a few blocks of
/// them, whatever the files hold.
public final class RecentBlocks: Sendable {
    public struct Key: Sendable, Hashable {
        let file: Int
        let offset: UInt64
        let type: SafetensorsType
        let first: Int

        /// - Parameters:
        ///   - file: among the files, and where in it the matrix begins.
        ///   - type: of the values.
        ///   - first: row of the block.
        public init(file: Int, offset: UInt64, type: SafetensorsType, first: Int) {
            (self.file, self.offset, self.type, self.first) = (file, offset, type, first)
        }
    }

    /// As many as threads are busy with, about.
    private static let most = 4
    /// Those used last at the end.
    private let blocks = Mutex<[(key: Key, bytes: [UInt8])]>([])

    init() {}

    /// - Parameter make: computes the block where it is not there; not under a lock.
    public func block(_ key: Key, _ make: () throws -> [UInt8]) rethrows -> [UInt8] {
        let known = blocks.withLock { blocks -> [UInt8]? in
            guard let index = blocks.firstIndex(where: { $0.key == key }) else { return nil }
            let found = blocks.remove(at: index)
            blocks.append(found)
            return found.bytes
        }
        if let known { return known }
        let bytes = try make()
        blocks.withLock { blocks in
            blocks.append((key, bytes))
            if blocks.count > Self.most { blocks.removeFirst() }
        }
        return bytes
    }
}
