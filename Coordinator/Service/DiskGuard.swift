import QuernFormats
import QuernStore
import Synchronization

/// Watches how full the disks are, asking each at most once a second.
final class DiskGuard: Sendable {
    private struct Sample {
        let taken: ContinuousClock.Instant
        let used: Double
    }

    private let folders: [String]
    private let threads: ThreadPool
    private let sample = Mutex<Sample?>(nil)

    init(folders: [String], threads: ThreadPool) {
        self.folders = folders
        self.threads = threads
    }

    /// The used part of the fullest disk, in [0, 1]. Folders that are not there yet do not count.
    func used() async throws -> Double {
        if let sample = sample.withLock({ $0 }), ContinuousClock.now - sample.taken < .seconds(1) { return sample.used }
        let used = try await threads.run { [folders] in
            folders.compactMap { try? DiskUsage(of: $0).usedFraction }.max() ?? 0
        }
        sample.withLock { $0 = Sample(taken: .now, used: used) }
        return used
    }
}
