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
    public init(item: WorkItemID, id: String, fence: Int64) {
        self.item = item
        self.id = id
        self.fence = fence
    }
}
