import QuernJobs
import Synchronization

/// The strings by which an item in work is held: how far it is, and whether it is to stop.
final class WorkControl: Sendable {
    /// Fires when the work is to be dropped: its lease was lost, or the worker's time is up.
    let dropped = Signal()
    private let parts = Atomic<UInt64>(0)
    private static let scale = Double(1 << 52)

    /// In [0, 1].
    var fraction: Double {
        get { Double(parts.load(ordering: .relaxed)) / Self.scale }
        set { parts.store(UInt64(max(0, min(newValue, 1)) * Self.scale), ordering: .relaxed) }
    }

    /// - Throws: `CancellationError` where the work is to be dropped.
    func check() throws {
        if dropped.isFired { throw CancellationError() }
    }

    /// Counts up to a known total.
    func report(_ done: UInt64, of total: UInt64) {
        fraction = total == 0 ? 1 : Double(done) / Double(total)
    }
}
