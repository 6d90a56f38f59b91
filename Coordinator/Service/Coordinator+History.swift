import Foundation
import QuernJobs

/// Moving what jobs that have ended leave behind out of the way of those that run.
extension Coordinator {
    /// So many that a batch takes some hundredths of a second: with SQLite, everyone waits for it.
    private static let movedAtOnce = 250

    /// Moves jobs that have been over for long, as long as no other coordinator does; until the task is cancelled.
    func moveEndedJobs() async {
        guard let age = settings.historyAge else { return }
        let holder = UUID().uuidString
        let clock = ContinuousClock()
        let pause = min(age, .seconds(60))
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            do {
                while try await store.lead(.historian, holder: holder, term: settings.term) {
                    let begun = clock.now
                    guard let moved = try await store.moveToHistory(endedFor: age, limit: Self.movedAtOnce) else {
                        break
                    }
                    count { $0.itemsMoved += moved }
                    // A third of one connection at most; with SQLite, of all the time there is to write.
                    try await Task.sleep(for: (clock.now - begun) * 2)
                }
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning("moving ended jobs failed and will be tried again", metadata: ["error": "\(error)"])
            }
        }
    }
}
