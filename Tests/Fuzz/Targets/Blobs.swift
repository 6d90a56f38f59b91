import Foundation
import QuernFormats
import QuernStore
import Synchronization

extension FuzzTarget {
    /// Frames as a message has them, then as a blob that is stored in them.
    static let zstd = FuzzTarget("zstd") { bytes in
        let limit = 16 << 20
        let content = Result { try bytes.withUnsafeBytes { try Zstandard.decompress($0, limit: limit) } }
        try FrameStore.only.withLock { store in
            let known = try store ?? FrameStore()
            store = known
            try known.read(bytes)
        }
        let found = try content.get()
        let frames = try found.withUnsafeBytes { try Zstandard.compress($0) }
        guard try frames.withUnsafeBytes({ try Zstandard.decompress($0, limit: limit) }) == found else {
            throw FuzzFault("it is something else once it was compressed again")
        }
    }
}

/// A store of one blob, whose file is written past it.
private struct FrameStore {
    static let only = Mutex<FrameStore?>(nil)
    private static let root = "\(NSTemporaryDirectory())/quern-fuzz-\(ProcessInfo.processInfo.processIdentifier)"

    private let store: FolderBlobStore
    private let digest = Digest(of: [])
    private let file: String

    init() throws {
        store = try FolderBlobStore(root: Self.root, durability: .process)
        let folder = "\(Self.root)/sha256/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2).prefix(2))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        file = "\(folder)/\(digest.hex).zst"
        atexit { try? FileManager.default.removeItem(atPath: FrameStore.root) }
    }

    /// Damaged ones are set aside by the store, and removed here.
    func read(_ frames: [UInt8]) throws {
        try Data(frames).write(to: URL(fileURLWithPath: file))
        do {
            try store.stream(digest, checked: false) { _ in }
        } catch let error as QuernError where error.code == .corrupted {
            let damaged = "\(Self.root)/damaged"
            for name in try FileManager.default.contentsOfDirectory(atPath: damaged) {
                try FileManager.default.removeItem(atPath: "\(damaged)/\(name)")
            }
            throw error
        }
    }
}
