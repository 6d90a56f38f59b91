import QuernFormats
import QuernJobs

/// How a worker behaves on its machine.
public struct WorkerConfiguration: Sendable {
    /// Name of the machine: for the audit trail and quarantine only.
    public var node: String
    /// Items computed at the same time, each on a thread of its own. At least 1.
    public var slots: Int
    /// Most bytes that items in work may hold in memory together.
    public var memory: Int64
    /// The stages to offer; nil for all that the worker can run.
    public var stages: Set<Stage>?
    /// What encodes blocks.
    package var engine: any ComputeEngine = ProcessorEngine()
    /// Where encoded spans go.
    public var parts: Parts
    /// Ends the worker after this long without work; nil: never.
    public var exitWhenIdle: Duration?
    /// Longest wait for work in one call.
    public var claimWait: Duration
    /// How long items in work may go on after the worker was told to stop, before they are given back.
    public var drainLimit: Duration
    /// Whether faults of the coordinator itself, such as a full disk below its database, are waited out like its
    /// absence. Where it serves one job of one person, he is better told at once.
    public var waitsOutFaults: Bool
    /// First and longest pause before a call to an unreachable coordinator or store is tried again.
    public var retryPause: ClosedRange<Duration>

    public enum Parts: Sendable {
        /// To the blob store, where any assembler finds them, and other jobs. It costs a hash over every span, and a
        /// second copy of every part until the job is done.
        case shared
        /// Straight to their places in the artifact files, all of which this worker makes itself.
        case inPlace
    }

    public init(
        node: String, slots: Int, memory: Int64, stages: Set<Stage>? = nil, parts: Parts = .shared,
        exitWhenIdle: Duration? = nil,
        claimWait: Duration = .seconds(25),
        drainLimit: Duration = .seconds(20), waitsOutFaults: Bool = true,
        retryPause: ClosedRange<Duration> = .milliseconds(500)...(.seconds(20))
    ) {
        self.node = node
        self.slots = max(1, slots)
        self.memory = memory
        self.stages = stages
        self.parts = parts
        self.exitWhenIdle = exitWhenIdle
        self.claimWait = claimWait
        self.drainLimit = drainLimit
        self.waitsOutFaults = waitsOutFaults
        self.retryPause = retryPause
    }
}
