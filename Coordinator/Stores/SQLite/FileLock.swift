import Foundation
import QuernFormats

/// An exclusive lock on a file, held until this value goes away or the process ends.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `QuernError` `.conflict` where somebody else holds the lock.
    init(path: String, purpose: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw QuernError(
                .io, "cannot be opened: \(String(cString: strerror(errno)))", at: path,
                remedy: "Check that the folder exists and may be written to")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let held = errno == EWOULDBLOCK
            close(descriptor)
            throw held
                ? QuernError(
                    .conflict, "another coordinator is using this job database", at: purpose,
                    remedy: "Stop the other one, give this one a file of its own, or use PostgreSQL for several")
                : QuernError(.io, "cannot be locked", at: path, remedy: "Use a file system that has file locks")
        }
    }

    deinit {
        // A process that is being started has a copy of the descriptor for a moment, which would go on holding the lock.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
