import Foundation
import NIOCore
import QuernFormats

/// Neighbouring blocks of a remote file, on their way or just arrived.
final class Piece: @unchecked Sendable {
    let file: String
    let blocks: Range<Int>
    /// Who asked for it; what it leaves unread when it goes is in nobody's interest.
    let owner: ObjectIdentifier
    /// Bytes.
    let size: Int

    // All of these under the condition's lock.
    private let arrival = NSCondition()
    private var outcome: Result<ByteBuffer, any Error>?
    private var wasUsed = false
    private var isKept = false

    init(file: String, blocks: Range<Int>, owner: ObjectIdentifier, size: Int) {
        self.file = file
        self.blocks = blocks
        self.owner = owner
        self.size = size
    }

    func finish(_ outcome: Result<ByteBuffer, any Error>) {
        arrival.withLock {
            self.outcome = outcome
            arrival.broadcast()
        }
    }

    var hasArrived: Bool { arrival.withLock { outcome != nil } }

    /// Whether somebody has asked for it, or nobody will.
    var isDone: Bool {
        get { arrival.withLock { wasUsed } }
        set { arrival.withLock { wasUsed = newValue } }
    }

    /// Blocking: waits for the bytes.
    /// - Throws: what fetching them threw.
    func bytes() throws -> ByteBuffer {
        let outcome = arrival.withLock {
            while self.outcome == nil { arrival.wait() }
            return self.outcome
        }
        guard let outcome else { throw QuernError(.internalFault, "a piece ended without a result", at: file) }
        return try outcome.get()
    }

    /// Whether the caller is the one to put it into the spool.
    func claimKeeping() -> Bool {
        arrival.withLock {
            defer { isKept = true }
            return !isKept
        }
    }
}
