import QuernJobs

/// An item that this worker holds.
struct HeldItem: Sendable {
    enum Phase {
        /// Claimed, not begun.
        case waiting
        case computing
        /// Computed: its blobs are on their way, or its result is.
        case finishing
    }
    let claim: Claim
    /// Under which it was claimed.
    let session: SessionID
    let control: WorkControl
    /// Bytes it may come to hold.
    let memory: Int64
    var phase: Phase
}

/// What a worker holds, and what it may begin. All decisions, no effects.
struct HeldItems {
    let slots: Int
    let memory: Int64
    private var items: [Lease: HeldItem] = [:]
    /// In the order of their claims.
    private var waiting: [Lease] = []

    init(slots: Int, memory: Int64) {
        self.slots = slots
        self.memory = memory
    }

    var isEmpty: Bool { items.isEmpty }
    var all: [HeldItem] { Array(items.values) }

    private func count(_ phase: HeldItem.Phase) -> Int { items.values.count { $0.phase == phase } }

    /// How many more items to claim: as many as can begin at once, and one ahead, so that no thread waits for a claim.
    var room: Int { max(0, slots + 1 - count(.waiting) - count(.computing)) }

    mutating func add(_ item: HeldItem) {
        items[item.claim.lease] = item
        waiting.append(item.claim.lease)
    }

    /// Takes the next waiting item that a free slot and the memory left allow to begin. One item may always begin,
    /// however much memory it takes.
    mutating func beginNext() -> HeldItem? {
        guard let lease = waiting.first, let item = items[lease] else { return nil }
        let busy = items.values.filter { $0.phase != .waiting }
        let finishing = busy.count { $0.phase == .finishing }
        let used = busy.reduce(0) { $0 + $1.memory }
        // Results wait for the disk two deep, no deeper: what is written must not run away from what is synced.
        guard busy.count - finishing < slots, finishing < 2 * slots + 2, busy.isEmpty || used + item.memory <= memory
        else { return nil }
        waiting.removeFirst()
        items[lease]?.phase = .computing
        return items[lease]
    }

    mutating func finishing(_ lease: Lease) { items[lease]?.phase = .finishing }

    @discardableResult
    mutating func remove(_ lease: Lease) -> HeldItem? {
        waiting.removeAll { $0 == lease }
        return items.removeValue(forKey: lease)
    }

    /// Items that have not begun leave at once.
    mutating func removeWaiting() -> [HeldItem] {
        defer { waiting = [] }
        return waiting.compactMap { items.removeValue(forKey: $0) }
    }

    subscript(_ lease: Lease) -> HeldItem? { items[lease] }
}
