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
    /// How many threads of its own it can keep busy; nil for items that take the one of their slot.
    var parallelism: Int? { claim.payload.parallelism }
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
    var room: Int {
        let parallel = parallelItems
        guard let parallelism = parallel.first?.parallelism else {
            return max(0, slots + 1 - count(.waiting) - count(.computing))
        }
        return max(0, atOnce(parallelism) + 1 - parallel.count)
    }

    /// How many items begin at once that each keep `parallelism` threads busy: with one at a time, what such an item
    /// holds in memory is there once.
    private func atOnce(_ parallelism: Int) -> Int { max(1, slots / max(1, parallelism)) }

    /// Held and not yet computed, in the order in which they begin.
    private var parallelItems: [HeldItem] {
        items.values.filter { $0.phase == .computing && $0.parallelism != nil }
            + waiting.compactMap { items[$0] }.filter { $0.parallelism != nil }
    }

    /// Takes out what was claimed beyond what `room` allows now that it is known what it is: other workers have threads
    /// for it.
    mutating func removeSurplus() -> [HeldItem] {
        let parallel = parallelItems
        guard let parallelism = parallel.first?.parallelism else { return [] }
        let surplus = parallel.dropFirst(atOnce(parallelism) + 1).filter { $0.phase == .waiting }
        for item in surplus { remove(item.claim.lease) }
        return surplus
    }

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
        if let parallelism = item.parallelism {
            let computing = busy.count { $0.phase == .computing && $0.parallelism != nil }
            guard computing < atOnce(parallelism) else { return nil }
        }
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
