import Glibc
import QuernFormats

/// An open file, closed when its owner goes. Reads and writes are by position.
package struct FileDescriptor: ~Copyable, Sendable {
    package let path: String
    private let descriptor: Int32

    package init(path: String, flags: Int32, mode: mode_t = 0o644) throws {
        descriptor = open(path, flags | O_CLOEXEC, mode)
        self.path = path
        guard descriptor >= 0 else { throw QuernError.system("cannot open", errno, at: path) }
    }

    deinit { close(descriptor) }

    package func status() throws -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw QuernError.system("cannot examine", errno, at: path) }
        return status
    }

    /// - Returns: bytes read; fewer than asked for only at the end of the file.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, base + done, buffer.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw QuernError.system("cannot read", errno, at: path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    package func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw QuernError.system("cannot write", count < 0 ? errno : EIO, at: path) }
            done += count
        }
    }

    /// Takes the space for `size` bytes now, so that a full disk is found before any work is done.
    package func reserve(_ size: UInt64) throws {
        guard size > 0 else { return }
        let failure = posix_fallocate(descriptor, 0, off_t(size))
        guard failure == 0 else { throw QuernError.system("cannot reserve \(size) bytes", failure, at: path) }
    }

    /// Returns when everything written would survive a crash of the machine.
    package func sync() throws {
        guard fsync(descriptor) == 0 else { throw QuernError.system("cannot write to disk", errno, at: path) }
    }

    /// Makes the names in a folder survive a crash of the machine.
    package static func syncFolder(_ path: String) throws {
        try FileDescriptor(path: path, flags: O_RDONLY | O_DIRECTORY).sync()
    }
}

extension QuernError {
    /// The error of a failed system call.
    package static func system(_ action: String, _ number: Int32, at path: String) -> QuernError {
        let message = "\(action): \(String(cString: strerror(number)))"
        return switch number {
        case ENOENT: QuernError(.notFound, message, at: path)
        case ENOSPC, EDQUOT, EFBIG: QuernError(.outOfSpace, message, at: path, remedy: "Free some space and go on")
        case ENOMEM: QuernError(.outOfMemory, message, at: path)
        default: QuernError(.io, message, at: path)
        }
    }
}

/// Folders and names, by way of the system calls whose durability is known.
package enum FileSystem {
    /// Makes a folder and those above it.
    /// - Returns: whether it was not there before.
    @discardableResult
    package static func makeFolder(_ path: String) throws -> Bool {
        if mkdir(path, 0o755) == 0 { return true }
        let number = errno
        if number == EEXIST, isFolder(path) { return false }
        guard number == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw QuernError.system("cannot make the folder", number, at: path)
        }
        try makeFolder(String(path[..<slash]))
        if mkdir(path, 0o755) == 0 { return true }
        guard errno == EEXIST, isFolder(path) else {
            throw QuernError.system("cannot make the folder", errno, at: path)
        }
        return false
    }

    package static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package static func move(_ path: String, to destination: String) throws {
        guard rename(path, destination) == 0 else {
            throw QuernError.system("cannot rename to \(destination)", errno, at: path)
        }
    }

    package static func remove(_ path: String) {
        unlink(path)
    }

    /// Names in a folder, `.` and `..` left out, in no order; empty where it cannot be read.
    package static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Seconds since the file was last written; nil where it is gone.
    package static func age(of path: String) -> Int? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        // Times of files are finer than this clock, and may be ahead of it by a moment.
        return max(0, time(nil) - status.st_mtim.tv_sec)
    }

    /// A name part that no other process or thread uses: 16 hexadecimal digits.
    package static func uniqueSuffix() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Space on the file system that holds a folder.
public struct DiskUsage: Sendable, Equatable {
    /// What files take.
    public let usedBytes: UInt64
    /// What an unprivileged process may still take.
    public let freeBytes: UInt64
    /// In [0, 1], of what unprivileged processes may take at all: what the file system keeps back for others counts
    /// neither as used nor as free, as with `df`.
    public var usedFraction: Double {
        freeBytes == 0 ? 1 : Double(usedBytes) / (Double(usedBytes) + Double(freeBytes))
    }

    /// - Throws: `.notFound` or `.io`.
    public init(of folder: String) throws {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else {
            throw QuernError.system("cannot examine the disk", errno, at: folder)
        }
        usedBytes = UInt64(status.f_blocks - status.f_bfree) * UInt64(status.f_frsize)
        freeBytes = UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}
