import Foundation
import QuernFormats
import QuernStore
import Synchronization

/// A file on its way: `path.part` until it is whole and checked. All calls block and belong on a thread.
final class PartialFile: Sendable {
    private struct State {
        var received: UInt64
        var hasher: SHA256Hasher
    }

    private let path: String
    private let size: UInt64
    private let handle: FileHandle
    private let state: Mutex<State>

    private var partialPath: String { path + ".part" }

    /// Bytes that are there.
    var received: UInt64 { state.withLock { $0.received } }

    /// Opens `path.part`, keeping what it holds.
    init(for path: String, size: UInt64) throws {
        self.path = path
        self.size = size
        do {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let partial = URL(fileURLWithPath: path + ".part")
            if !FileManager.default.fileExists(atPath: partial.path) {
                try Data().write(to: partial)
            }
            handle = try FileHandle(forUpdating: partial)
            var hasher = SHA256Hasher()
            var kept: UInt64 = 0
            while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
                hasher.update(Array(piece))
                kept += UInt64(piece.count)
            }
            state = Mutex(State(received: kept, hasher: hasher))
        } catch {
            throw Self.failure(error, at: path)
        }
        if received > size { try restart() }
    }

    /// Forgets what is there.
    func restart() throws {
        do {
            try handle.truncate(atOffset: 0)
        } catch {
            throw Self.failure(error, at: partialPath)
        }
        state.withLock { $0 = State(received: 0, hasher: SHA256Hasher()) }
    }

    func append(_ bytes: [UInt8]) throws {
        guard received + UInt64(bytes.count) <= size else {
            throw QuernError(.corrupted, "more bytes came than the file has (\(size))", at: path)
        }
        do {
            try handle.write(contentsOf: bytes)
        } catch {
            throw Self.failure(error, at: partialPath)
        }
        state.withLock {
            $0.hasher.update(bytes)
            $0.received += UInt64(bytes.count)
        }
    }

    /// Checks the digest, makes the bytes durable and gives the file its name.
    func finish(digest: Digest) throws {
        guard state.withLock({ $0.hasher.finish() }) == digest else {
            try restart()
            throw QuernError(
                .corrupted, "the bytes that came do not have the file's sha256 (\(digest.hex))", at: path,
                remedy: "Download it again")
        }
        do {
            try handle.synchronize()
            try handle.close()
        } catch {
            throw Self.failure(error, at: partialPath)
        }
        guard rename(partialPath, path) == 0 else {
            throw QuernError(.io, "cannot be given its name: \(String(cString: strerror(errno)))", at: path)
        }
    }

    /// Whether `path` is there already with this content.
    static func matches(_ path: String, size: UInt64, digest: Digest) throws -> Bool {
        guard FileManager.default.fileExists(atPath: path) else { return false }
        let file = try FileByteSource(path: path)
        guard file.size == size else { return false }
        var hasher = SHA256Hasher()
        var offset: UInt64 = 0
        while offset < size {
            let count = Int(min(size - offset, 1 << 20))
            hasher.update(try file.bytes(at: offset, count: count))
            offset += UInt64(count)
        }
        return hasher.finish() == digest
    }

    private static func failure(_ error: any Error, at path: String) -> QuernError {
        if let error = error as? QuernError { return error }
        let code = (error as NSError).code
        let full = [Int(ENOSPC), CocoaError.Code.fileWriteOutOfSpace.rawValue].contains(code)
        return QuernError(
            full ? .outOfSpace : .io, full ? "the disk is full" : "\(error.localizedDescription)", at: path,
            remedy: full ? "Free some space and run the same command again; it goes on where it stopped" : "")
    }
}
