import Foundation
import QuernFormats
import QuernStore
import Synchronization

/// Blocks of remote files on this machine's disk, so that what is read twice comes over the network once: what the
/// page cache is to local files. They lie in a file without a name, which ends with the process, and those that were
/// not used for long make room for others. A disk that is full or broken only means that nothing is kept.
final class BlockSpool: Sendable {
    static let blockBytes = 256 << 10

    private struct Key: Hashable {
        let file: String
        let block: Int
    }

    private struct Slot {
        var key: Key?
        var bytes = 0
        /// Since the hand came by.
        var wasUsed = false
        /// Counts what the slot has held: whoever reads without the lock sees by it that the slot got another block.
        var generation: UInt64 = 0
    }

    private struct State {
        var places: [Key: Int] = [:]
        var slots: [Slot] = []
        var hand = 0
        /// Slots that hold nothing.
        var free: [Int] = []
        var descriptor: Int32?
        var limit: Int
    }

    private let state: Mutex<State>

    /// Free bytes of the disk that are left to others.
    private static let reserve: UInt64 = 2 << 30

    /// Blocks that are kept where they take memory.
    private static let mostInMemory = (256 << 20) / blockBytes

    /// - Parameter bytes: the most that is kept; 0 for nothing.
    init(bytes: Int) { state = Mutex(State(limit: bytes / Self.blockBytes)) }

    deinit { _ = state.withLock { $0.descriptor.map { close($0) } } }

    func contains(_ file: String, _ block: Int) -> Bool {
        state.withLock { $0.places[Key(file: file, block: block)] != nil }
    }

    /// Copies from `offset` within a block on, to its end or that of the buffer.
    /// - Returns: how many bytes; nil where the block is not kept.
    func read(_ file: String, _ block: Int, from offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let key = Key(file: file, block: block)
        let found = state.withLock { state -> (index: Int, slot: Slot, descriptor: Int32)? in
            guard let index = state.places[key], let descriptor = state.descriptor else { return nil }
            state.slots[index].wasUsed = true
            return (index, state.slots[index], descriptor)
        }
        guard let (index, slot, descriptor) = found, offset < slot.bytes else { return nil }
        let count = min(slot.bytes - offset, buffer.count)
        var done = 0
        while done < count {
            let read = pread(
                descriptor, buffer.baseAddress! + done, count - done, off_t(index * Self.blockBytes + offset + done))
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { return nil }
            done += read
        }
        let isSame = state.withLock {
            $0.places[key] == index && $0.slots[index].generation == slot.generation
        }
        return isSame ? count : nil
    }

    /// - Returns: whether the block is kept.
    func keep(_ bytes: UnsafeRawBufferPointer, of file: String, _ block: Int) -> Bool {
        let key = Key(file: file, block: block)
        let place = state.withLock { state -> (index: Int, descriptor: Int32)? in
            guard state.places[key] == nil, let descriptor = Self.open(&state), let index = Self.slot(&state) else {
                return nil
            }
            return (index, descriptor)
        }
        guard let (index, descriptor) = place else { return contains(file, block) }
        var done = 0
        while done < bytes.count {
            let written = pwrite(
                descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(index * Self.blockBytes + done))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                // What is there stays, and nothing comes to it.
                state.withLock { $0.limit = 0 }
                return false
            }
            done += written
        }
        state.withLock { state in
            guard state.places[key] == nil else { return state.free.append(index) }
            state.slots[index].bytes = bytes.count
            state.slots[index].key = key
            state.slots[index].wasUsed = true
            state.places[key] = index
        }
        return true
    }

    private static func open(_ state: inout State) -> Int32? {
        if let descriptor = state.descriptor { return descriptor }
        guard state.limit > 0 else { return nil }
        // Where there is a choice, not the place that may be in memory.
        let folders = [ProcessInfo.processInfo.environment["TMPDIR"], "/var/tmp", "/tmp"].compactMap { $0 }
        for folder in folders where !folder.isEmpty {
            var template = Array("\(folder)/quern-source-XXXXXX".utf8CString)
            let descriptor = mkstemp(&template)
            guard descriptor >= 0 else { continue }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            unlink(template)
            state.descriptor = descriptor
            if isMemory(folder) { state.limit = min(state.limit, mostInMemory) }
            return descriptor
        }
        state.limit = 0
        return nil
    }

    /// A slot that is nobody's: a new one, or that of a block that was not used since the hand came by last.
    private static func slot(_ state: inout State) -> Int? {
        guard state.limit > 0 else { return nil }
        if let index = state.free.popLast() { return index }
        if state.slots.count < state.limit {
            // Looked at now and then: it costs a system call.
            if state.slots.count % 64 == 0, let descriptor = state.descriptor, free(descriptor) < reserve {
                state.limit = state.slots.count
            } else {
                state.slots.append(Slot())
                return state.slots.count - 1
            }
        }
        let most = min(state.limit, state.slots.count)
        guard most > 0 else { return nil }
        for _ in 0..<2 * most {
            state.hand = (state.hand + 1) % most
            let index = state.hand
            // One without a key is being written.
            guard let key = state.slots[index].key else { continue }
            if state.slots[index].wasUsed {
                state.slots[index].wasUsed = false
                continue
            }
            state.places[key] = nil
            state.slots[index].key = nil
            state.slots[index].generation += 1
            return index
        }
        return nil
    }

    /// Whether a folder lies on a file system that is none on disk, by the longest of the mount points it lies below.
    private static func isMemory(_ folder: String) -> Bool {
        let path = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path + "/"
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        var (kind, length) = ("", -1)
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 2 else { continue }
            let point = fields[1].hasSuffix("/") ? fields[1] : fields[1] + "/"
            guard path.hasPrefix(point), point.utf8.count >= length else { continue }
            (kind, length) = (fields[2], point.utf8.count)
        }
        return kind == "tmpfs"
    }

    private static func free(_ descriptor: Int32) -> UInt64 {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { return 0 }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}
