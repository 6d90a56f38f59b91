import Synchronization

/// Scratches that no call uses at the moment: with them the cache of words outlives a call.
final class ScratchPool: Sendable {
    // A scratch is used by the one call that took it.
    private struct Free: @unchecked Sendable { var scratches: [EncodingScratch] = [] }
    private let free = Mutex(Free())

    func take() -> EncodingScratch {
        free.withLock { Box($0.scratches.popLast()) }.scratch ?? EncodingScratch()
    }

    func giveBack(_ scratch: EncodingScratch) {
        let box = Box(scratch)
        free.withLock { if let scratch = box.scratch { $0.scratches.append(scratch) } }
    }

    private struct Box: @unchecked Sendable {
        let scratch: EncodingScratch?
        init(_ scratch: EncodingScratch?) { self.scratch = scratch }
    }
}
