/// One work item, as far as its way from blocked to done is concerned: the state that `decide` works on.
public struct ItemLife: Sendable, Equatable {
    public let id: WorkItemID
    /// One line for people, for messages.
    public let label: String
    public var state: ItemState
    /// Dependencies that are not done, whatever the item's own state.
    public var dependenciesLeft: Int
    public var fence: Int64
    /// The lease the item is held by, was completed by, or was last taken from by the reaper. Only in the last case
    /// is the fence one more than the lease's.
    public var leaseID: String?
    /// Claims so far.
    public var attempts: Int
    /// Counted failures, lost leases, interruptions and requests for lost inputs since the last retry by a user.
    public var failures: Int
    public var losses: Int
    public var interruptions: Int
    public var rewinds: Int
    /// Bytes of memory a worker must have.
    public var memory: Int64
    /// Not to be claimed before this time, in milliseconds since 1970.
    public var notBefore: Int64
    /// Of the result that was handed in last. It stays when the result is dropped, so that another one is noticed.
    public var resultDigest: String?
    public var lastError: String?
    /// What went wrong on which node since the last retry by a user.
    public var setbacks: [Setback]

    public init(
        id: WorkItemID, label: String, state: ItemState, dependenciesLeft: Int, fence: Int64 = 0,
        leaseID: String? = nil, attempts: Int = 0, failures: Int = 0, losses: Int = 0, interruptions: Int = 0,
        rewinds: Int = 0, memory: Int64 = 0, notBefore: Int64 = 0, resultDigest: String? = nil,
        lastError: String? = nil, setbacks: [Setback] = []
    ) {
        self.id = id
        self.label = label
        self.state = state
        self.dependenciesLeft = dependenciesLeft
        self.fence = fence
        self.leaseID = leaseID
        self.attempts = attempts
        self.failures = failures
        self.losses = losses
        self.interruptions = interruptions
        self.rewinds = rewinds
        self.memory = memory
        self.notBefore = notBefore
        self.resultDigest = resultDigest
        self.lastError = lastError
        self.setbacks = setbacks
    }

    /// Where an item goes that is neither held nor finished.
    public var openState: ItemState { dependenciesLeft == 0 ? .ready : .blocked }
}

/// An attempt that did not end well.
public struct Setback: Sendable, Equatable {
    public let node: String
    public let outcome: AttemptOutcome
    public let message: String
    public init(node: String, outcome: AttemptOutcome, message: String) {
        self.node = node
        self.outcome = outcome
        self.message = message
    }
}

/// How an attempt ended, as the audit trail has it.
public enum AttemptOutcome: String, Sendable, Codable, CaseIterable {
    case done, failed, interrupted, released, lost, cancelled
}

/// A change to an item, or something that follows from one. Applied in order.
public enum ItemMutation: Sendable, Equatable {
    public enum Tally: Sendable, Equatable { case attempt, failure, loss, interruption, rewind }

    case enter(ItemState)
    /// From now on no lease with the present fence counts.
    case raiseFence
    case holdLease(String)
    case forgetLease
    case keepResult(digest: String)
    case dropResult
    case changeDependencies(by: Int)
    case count(Tally)
    /// Starts all tallies and the memory of setbacks anew.
    case forgive
    case require(memory: Int64)
    case rest(until: Int64)
    case note(String)

    /// Ends the record of the attempt the event was about.
    case closeAttempt(AttemptOutcome, message: String)
    /// One dependency fewer for everything that depends on this item, or one more.
    case countDownDependents
    case countUpDependents
    /// The items that made what this one lacks are to be done again.
    case rewindMakers
    /// Everything that was made from this item's result, directly or not, is outdated.
    case rewindDependents
    /// Remember that the item failed on this node.
    case suspect(node: String)
    case failJob(String)
    case announce(JobEvent.Kind, String)
}

extension ItemLife {
    /// The item after those mutations that are about itself.
    public func applying(_ mutations: [ItemMutation]) -> ItemLife {
        var life = self
        for mutation in mutations { life.apply(mutation) }
        return life
    }

    private mutating func apply(_ mutation: ItemMutation) {
        switch mutation {
        case .enter(let next): state = next
        case .raiseFence: fence += 1
        case .holdLease(let id): leaseID = id
        case .forgetLease: leaseID = nil
        case .keepResult(let digest): resultDigest = digest
        case .changeDependencies(let change): dependenciesLeft += change
        case .count(.attempt): attempts += 1
        case .count(.failure): failures += 1
        case .count(.loss): losses += 1
        case .count(.interruption): interruptions += 1
        case .count(.rewind): rewinds += 1
        case .forgive:
            (failures, losses, interruptions, rewinds) = (0, 0, 0, 0)
            notBefore = 0
            setbacks = []
        case .require(let bytes): memory = bytes
        case .rest(let time): notBefore = time
        case .note(let message): lastError = message
        case .dropResult, .closeAttempt, .countDownDependents, .countUpDependents, .rewindMakers, .rewindDependents,
            .suspect, .failJob, .announce:
            break
        }
    }
}
