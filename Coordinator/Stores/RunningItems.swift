import QuernJobs
import Synchronization

/// One item of each job that was ready or in work when somebody last looked. As long as it still is, nobody has to
/// look for another among all that once were.
final class RunningItems: Sendable {
    private let known = Mutex<[JobID: Int]>([:])
    /// Jobs that end in another way than by their last item are forgotten with all the others.
    private static let most = 1000

    /// The ordinal of an item.
    subscript(job: JobID) -> Int? {
        get { known.withLock { $0[job] } }
        set {
            known.withLock { known in
                if known.count >= Self.most { known = [:] }
                known[job] = newValue
            }
        }
    }
}
