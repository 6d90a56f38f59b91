/// What the ready items of a job take, and what the workers have that are connected.
public struct Scheduling: Sendable, Equatable {
    public struct Need: Sendable, Hashable {
        public let capability: Capability
        /// Bytes.
        public let memory: Int64

        public init(_ capability: Capability, memory: Int64) { (self.capability, self.memory) = (capability, memory) }
    }

    /// Workers that have the same capabilities.
    public struct Offer: Sendable, Equatable {
        public let capabilities: Set<Capability>
        /// Bytes of the one that has most.
        public let memory: Int64

        public init(_ capabilities: Set<Capability>, memory: Int64) {
            (self.capabilities, self.memory) = (capabilities, memory)
        }
    }

    /// Of the items that would be claimed first, each once.
    public let needs: Set<Need>
    public let offers: [Offer]

    /// Items that are looked at: those that are claimed first are the largest.
    public static let itemsLookedAt = 1000

    public init(needs: Set<Need>, offers: [Offer]) { (self.needs, self.offers) = (needs, offers) }

    /// Why none of the items goes to any worker, and what to do about it; nil where one can go, or there is none.
    public var obstacle: String? {
        guard !needs.isEmpty else { return nil }
        let most = needs.compactMap { need in
            offers.filter { $0.capabilities.contains(need.capability) }.map(\.memory).max().map { (need, $0) }
        }
        guard !most.contains(where: { $0.memory <= $1 }) else { return nil }
        let ordered = most.sorted { ($0.0.memory, $0.0.capability.name) < ($1.0.memory, $1.0.capability.name) }
        if let (need, memory) = ordered.first {
            return "no connected worker has the \(need.memory) bytes of memory that \(need.capability.words) take; "
                + "the largest has \(memory). Start one with more (--memory)"
        }
        let takesCards = needs.allSatisfy { $0.capability.forward == .cuda }
        let items = Set(needs.map(\.capability.words)).sorted().joined(separator: " or ")
        return "no connected worker takes \(items). "
            + (takesCards
                ? "Start one with --forward cuda on a machine with an NVIDIA card" : "Start one: quern worker")
    }
}

extension Capability {
    /// Of the items that take it.
    fileprivate var words: String { "\(stage.rawValue) items" + (forward == .cuda ? " with forward: cuda" : "") }
}
