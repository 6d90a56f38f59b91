import Foundation
import Logging
import QuernFormats
import QuernJobs
import QuernPlanning
import QuernStore
import ServiceLifecycle
import Synchronization

/// Plans jobs, hands out leases and records what comes back; the one thing that users and workers talk to, in the
/// same process or through `CoordinatorServer`.
///
/// Any number of coordinators may work on one job store. Each answers calls whether or not `run()` is running; leader
/// duties, and wake-ups that come from other processes, need `run()`.
public final class Coordinator: Sendable {
    /// Makes a plan of a recipe whose paths are absolute, once the job has measured them with what tensors cost; blocking.
    public typealias PlanMaker = @Sendable (Recipe, SensitivityFile?) throws -> Plan

    public let settings: CoordinatorSettings
    let store: any JobStore
    /// For whoever works in this process, too: where blobs are collected, it is known which ones are wanted.
    public let blobs: any BlobStore
    /// The same without a record of who asks.
    let storedBlobs: any BlobStore
    /// The same where workers fetch and store blobs past this coordinator.
    let directBlobs: (any DirectBlobStore)?
    let artifacts: ArtifactLocation
    let makePlan: PlanMaker
    let logger: Logger

    /// Rung when there may be work to claim or news of a job.
    let bell = Bell()
    /// Rung when a completion may have made an item ready that waits for many.
    let resolving = Bell()
    /// Rung when a manifest is written.
    let ends = Bell()
    /// For planning and for reading artifacts.
    let threads = ThreadPool(name: "coordinator", threads: 4)
    let disk: DiskGuard
    /// Whether blobs lie on a disk that is watched, so that an upload fills it.
    let blobsFillDisk: Bool
    let counters = Mutex(CoordinatorCounters())
    private let draining = Mutex(false)

    /// - Parameters:
    ///   - store: migrated by `run()`, or by the caller where calls come before that.
    ///   - artifacts: where workers put the files of jobs.
    ///   - planner: what makes plans; tests may put a smaller one.
    public init(
        store: any JobStore, blobs: any BlobStore, artifacts: ArtifactLocation,
        settings: CoordinatorSettings = CoordinatorSettings(),
        planner: @escaping PlanMaker = Coordinator.plan, logger: Logger = Logger(label: "quern.coordinator")
    ) {
        self.store = store
        self.blobs = settings.collection == nil ? blobs : Self.tracked(blobs, by: store)
        storedBlobs = blobs
        directBlobs = settings.directBlobs ? self.blobs as? any DirectBlobStore : nil
        self.artifacts = artifacts
        self.settings = settings
        self.makePlan = planner
        self.logger = logger
        var folders = artifacts.root.map { [$0] } ?? []
        let folder = blobs as? FolderBlobStore
        if let folder { folders.append(folder.root) }
        blobsFillDisk = folder != nil
        disk = DiskGuard(folders: folders, threads: threads)
    }

    /// Reads the headers of a recipe's source and plans its targets; blocking.
    @Sendable public static func plan(_ recipe: Recipe, costs: SensitivityFile?) throws -> Plan {
        try Planner.plan(recipe, costs: costs)
    }

    /// A count that grows with every change of a job: look at it, then at the job, then wait for a larger one.
    public var news: UInt64 { bell.count }

    /// A count that grows with every job that is done.
    public var jobsDone: UInt64 { ends.count }

    /// Returns once a job was done after `count`, after `limit`, or when the task is cancelled.
    public func waitForJobDone(after count: UInt64, upTo limit: Duration) async {
        await ends.wait(after: count, upTo: limit)
    }

    /// Returns once there was news after `count`, after `limit`, or when the task is cancelled.
    public func waitForNews(after count: UInt64, upTo limit: Duration) async {
        await bell.wait(after: count, upTo: limit)
    }

    private static func tracked(_ blobs: any BlobStore, by registry: any BlobRegistry) -> any BlobStore {
        func track<Base: StreamingBlobStore>(_ base: Base) -> any BlobStore {
            TrackedBlobStore(base, registry: registry)
        }
        func trackWhole<Base: BlobStore>(_ base: Base) -> any BlobStore { TrackedBlobStore(base, registry: registry) }
        return if let blobs = blobs as? any StreamingBlobStore { track(blobs) } else { trackWhole(blobs) }
    }

    func count(_ change: (inout CoordinatorCounters) -> Void) {
        counters.withLock { change(&$0) }
    }

    /// Whether long calls should come to their end because the server is going down.
    var isDraining: Bool { draining.withLock { $0 } }

    /// Ends waiting claims and event streams; calls go on being answered.
    func drain() {
        draining.withLock { $0 = true }
        bell.ring()
    }
}
