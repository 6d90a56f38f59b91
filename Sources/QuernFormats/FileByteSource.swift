#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A regular file, read by position so that threads never share a cursor.
public final class FileByteSource: ByteSource {
    public let name: String
    public let size: UInt64
    /// Modification time in nanoseconds since 1970; with the size it tells whether a file changed under a job.
    public let modified: Int64
    private let descriptor: Int32

    /// - Throws: `QuernError` `.notFound` where there is no such file, `.invalidInput` where it is no regular file.
    public init(path: String) throws {
        // Not blocking: the name of a pipe would otherwise hang here for ever. Files do not care.
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        name = path
        guard descriptor >= 0 else {
            throw QuernError(
                errno == ENOENT ? .notFound : .io, "cannot open: \(String(cString: strerror(errno)))", at: path,
                remedy: errno == ENOENT ? "Check the path" : "")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw QuernError(.invalidInput, "not a regular file", at: path)
        }
        size = UInt64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    deinit { close(descriptor) }

    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws {
        guard offset <= size, UInt64(buffer.count) <= size - offset else {
            throw QuernError(
                .invalidInput, "\(buffer.count) bytes at offset \(offset) lie beyond its end (\(size) bytes)", at: name,
                remedy: "The file is truncated: copy or download it again")
        }
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw QuernError(
                    count == 0 ? .invalidInput : .io,
                    count == 0
                        ? "ends \(buffer.count - done) bytes early, at offset \(offset + UInt64(done))"
                        : "read failed at offset \(offset): \(String(cString: strerror(errno)))",
                    at: name)
            }
            done += count
        }
    }
}
