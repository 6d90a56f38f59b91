/// Names a job: what `quern submit` prints.
public struct JobID: Sendable, Hashable, Codable, RawRepresentable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(from decoder: any Decoder) throws { rawValue = try String(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }
    public var description: String { rawValue }
}

/// Names one worker process start; a restarted worker is a new session.
public struct SessionID: Sendable, Hashable, Codable, RawRepresentable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(from decoder: any Decoder) throws { rawValue = try String(from: decoder) }
    public func encode(to encoder: any Encoder) throws { try rawValue.encode(to: encoder) }
    public var description: String { rawValue }
}

/// A work item: the job and the item's place in its plan, from 0. Written `job/ordinal`.
public struct WorkItemID: Sendable, Hashable, Codable {
    public let job: JobID
    public let ordinal: Int
    public init(job: JobID, ordinal: Int) {
        self.job = job
        self.ordinal = ordinal
    }
}

/// Proof of a claim. A completion counts only with the very fence and id that the claim gave.
public struct Lease: Sendable, Hashable, Codable {
    public let item: WorkItemID
    /// Random, new at every claim.
    public let id: String
    /// Grows by one at every claim, and when a lease is taken away.
    public let fence: Int64
    /// What its holder shows for whatever belongs to the item, where tokens are asked for. It proves the lease and is no
    /// part of it: leases are equal whatever their tokens.
    public let token: String?
    public init(item: WorkItemID, id: String, fence: Int64, token: String? = nil) {
        self.item = item
        self.id = id
        self.fence = fence
        self.token = token
    }

    /// The same with another token, or with none.
    public func showing(_ token: String?) -> Lease { Lease(item: item, id: id, fence: fence, token: token) }

    public static func == (left: Lease, right: Lease) -> Bool {
        left.item == right.item && left.id == right.id && left.fence == right.fence
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(item)
        hasher.combine(id)
        hasher.combine(fence)
    }

    /// Whether it still counts for an item in this state: it holds, or the reaper has taken it and nobody has claimed
    /// the item since, so that a late result is welcome.
    /// - Parameter fence: the item's, which has counted up from 0. Its own comes from whoever hands it in, and may be
    ///   any number.
    public func counts(state: ItemState, fence: Int64, leaseID: String?) -> Bool {
        guard leaseID == id else { return false }
        return switch state {
        case .leased: fence == self.fence
        case .ready, .blocked: fence - 1 == self.fence
        case .done, .failed, .cancelled, .quarantined: false
        }
    }
}
