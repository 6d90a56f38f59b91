import QuernJobs
import Synchronization

/// What claims remember from one batch to the next, for an interval. None of it is needed to be right: what a crash
/// takes of it costs a moment of fairness, and what another coordinator does not know of it costs no more.
///
/// It keeps claims fast where somebody's open transaction keeps old rows from being forgotten: there each change of a
/// row leaves a version behind, and each look at the ready items of a job passes all that once were ready.
struct ClaimMemory: Sendable {
    /// An item: those that were ready when it was claimed and come before it, by cost and ordinal, are claimed.
    struct Place: Sendable {
        let cost: Int64
        let ordinal: Int
    }

    /// What jobs were given since that was last written down.
    private(set) var unwrittenShares: [JobID: Int64] = [:]
    private var places: [JobID: [Ability: Place]] = [:]
    private var sharesWritten = ContinuousClock.now
    private var placesBegun = ContinuousClock.now

    /// Where to go on among the ready items of a job; nil: at the front.
    func place(in job: JobID, for ability: Ability) -> Place? { places[job]?[ability] }

    mutating func leaveOff(at place: Place, in job: JobID, for ability: Ability) {
        places[job, default: [:]][ability] = place
    }

    /// Lets claims look from the front again where they have not for an interval: there may be items that were ready
    /// later, or that did not fit.
    mutating func forgetPlaces(after interval: Duration) {
        guard ContinuousClock.now - placesBegun >= interval else { return }
        places = [:]
        placesBegun = .now
    }

    /// Charges jobs for what they were given.
    /// - Returns: what to write down now; nil where there is time.
    mutating func charge(_ costs: [JobID: Int64], writingEvery interval: Duration) -> [JobID: Int64]? {
        unwrittenShares.merge(costs, uniquingKeysWith: +)
        guard ContinuousClock.now - sharesWritten >= interval else { return nil }
        defer {
            unwrittenShares = [:]
            sharesWritten = .now
        }
        return unwrittenShares
    }

    /// Holds what is remembered; batches, of which there is one at a time, take it and put it back once they are in
    /// the database.
    final class Keeper: Sendable {
        private let kept = Mutex(ClaimMemory())
        var value: ClaimMemory {
            get { kept.withLock { $0 } }
            set { kept.withLock { $0 = newValue } }
        }
    }
}
