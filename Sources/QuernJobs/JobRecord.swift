import QuernFormats
import QuernStore

public enum JobState: String, Sendable, Codable, CaseIterable {
    case running, paused, done, failed, cancelled
    public var isFinal: Bool { self == .done || self == .failed || self == .cancelled }
}

public enum ItemState: String, Sendable, Codable, CaseIterable {
    case blocked, ready, leased, done, failed, cancelled, quarantined
}

public enum JobAction: String, Sendable, Codable, CaseIterable {
    case cancel, retry, pause, resume
}

/// A planned job on its way into a job store.
public struct NewJob: Sendable, Codable {
    public let id: JobID
    public let name: String
    public let recipe: Recipe
    /// Higher classes go first; 0 is usual.
    public let priority: Int
    /// A second submission with the same key is answered with the first one's job.
    public let idempotencyKey: String?
    /// In order of ordinal; the last is the publish item, or one whose result decides what follows it.
    public let items: [PlannedItem]
    public let artifacts: [PlannedArtifact]
    public init(
        id: JobID, name: String, recipe: Recipe, priority: Int = 0, idempotencyKey: String? = nil,
        items: [PlannedItem], artifacts: [PlannedArtifact]
    ) {
        self.id = id
        self.name = name
        self.recipe = recipe
        self.priority = priority
        self.idempotencyKey = idempotencyKey
        self.items = items
        self.artifacts = artifacts
    }
}

/// What a job goes on with once it is known what the rest of it is.
public struct JobContinuation: Sendable, Equatable {
    /// Items of the job before these.
    public let firstOrdinal: Int
    /// In order of ordinal; the last is the publish item.
    public let items: [PlannedItem]
    /// All of the job's.
    public let artifacts: [PlannedArtifact]
    public init(firstOrdinal: Int, items: [PlannedItem], artifacts: [PlannedArtifact]) {
        self.firstOrdinal = firstOrdinal
        self.items = items
        self.artifacts = artifacts
    }
}

public struct PlannedArtifact: Sendable, Codable, Equatable {
    public let target: String
    /// File names in order, each with its size.
    public let files: [File]
    public struct File: Sendable, Codable, Equatable {
        public let name: String
        public let bytes: UInt64
        public init(name: String, bytes: UInt64) {
            self.name = name
            self.bytes = bytes
        }
    }
    public init(target: String, files: [File]) {
        self.target = target
        self.files = files
    }
}

/// A job as users see it.
public struct JobRecord: Sendable, Codable {
    public struct Progress: Sendable, Codable, Equatable {
        /// Items by state; states with none are left out.
        public var items: [String: Int]
        /// Sum of the cost of done items, and of all; what a progress bar shows.
        public var costDone: Int64
        public var costTotal: Int64
        public init(items: [String: Int], costDone: Int64, costTotal: Int64) {
            self.items = items
            self.costDone = costDone
            self.costTotal = costTotal
        }
    }
    public let id: JobID
    public let name: String
    public let state: JobState
    public let priority: Int
    public let recipe: Recipe
    /// Milliseconds since 1970 by the database's clock.
    public let created: Int64
    public let finished: Int64?
    /// Why it failed; nil otherwise.
    public let failure: String?
    public let progress: Progress
    public let artifacts: [PlannedArtifact]
    /// How good the artifacts are, where the recipe asks for it, once the job is done. Filled in for single jobs only.
    public var evaluation: EvaluationSummary?
    /// What it needs to go on, where it is running and no connected worker can take any of its items. Filled in for single
    /// jobs only.
    public var waiting: String?
    public init(
        id: JobID, name: String, state: JobState, priority: Int, recipe: Recipe, created: Int64, finished: Int64?,
        failure: String?, progress: Progress, artifacts: [PlannedArtifact]
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.priority = priority
        self.recipe = recipe
        self.created = created
        self.finished = finished
        self.failure = failure
        self.progress = progress
        self.artifacts = artifacts
    }
}

public struct ItemRecord: Sendable, Codable {
    public let ordinal: Int
    public let stage: Stage
    public let state: ItemState
    public let label: String
    public let attempts: Int
    /// In [0, 1], from the last heartbeat of a leased item; 1 when done.
    public let fraction: Double
    public let lastError: String?
    public init(
        ordinal: Int, stage: Stage, state: ItemState, label: String, attempts: Int, fraction: Double,
        lastError: String?
    ) {
        self.ordinal = ordinal
        self.stage = stage
        self.state = state
        self.label = label
        self.attempts = attempts
        self.fraction = fraction
        self.lastError = lastError
    }
}

/// Something that happened to a job; `sequence` grows within a job and is the id of a server-sent event.
public struct JobEvent: Sendable, Codable {
    public enum Kind: String, Sendable, Codable {
        case submitted, itemFailed, itemRetried, leaseLost, paused, resumed, cancelled, retried, done, failed
    }
    public let sequence: Int64
    public let time: Int64
    public let kind: Kind
    /// Ordinal of the item it is about, if any.
    public let ordinal: Int?
    public let message: String
    public init(sequence: Int64, time: Int64, kind: Kind, ordinal: Int?, message: String) {
        self.sequence = sequence
        self.time = time
        self.kind = kind
        self.ordinal = ordinal
        self.message = message
    }
}
