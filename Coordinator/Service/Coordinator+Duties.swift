import Foundation
import QuernFormats
import QuernJobs
import ServiceLifecycle

extension Coordinator: Service {
    /// Brings the job store up to date and does what has to be done without being asked, until the task is cancelled
    /// or the service group shuts down.
    public func run() async throws {
        try await store.migrate()
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.passOnWakeUps() }
                group.addTask { await self.doLeaderDuties() }
                group.addTask { await self.collectBlobs() }
                group.addTask { await self.moveEndedJobs() }
                await group.waitForAll()
            }
        }
        drain()
    }

    /// Lets waiting claims, watchers and the resolver know of what other coordinators on the same store did.
    private func passOnWakeUps() async {
        for await _ in store.wakeUps() {
            bell.ring()
            resolving.ring()
        }
    }

    /// Reaps and resolves while this coordinator is the leader; resolves at once after completions, and everything
    /// once in a tick.
    private func doLeaderDuties() async {
        let holder = UUID().uuidString
        let clock = ContinuousClock()
        var renewal = clock.now
        var reaping = clock.now
        var leads = false
        while !Task.isCancelled {
            let heard = resolving.count
            do {
                if clock.now >= renewal {
                    leads = try await store.lead(.leader, holder: holder, term: settings.term)
                    renewal = clock.now + settings.term / 3
                }
                if leads, clock.now >= reaping {
                    let taken = try await store.reap()
                    reaping = clock.now + settings.tick
                    if taken > 0 {
                        count { $0.leasesReaped += taken }
                        logger.notice(
                            "took back leases of dead sessions or overdue items", metadata: ["leases": "\(taken)"])
                        bell.ring()
                    }
                }
                if leads {
                    let begun = clock.now
                    if try await store.resolve() > 0 { bell.ring() }
                    // What many completions set off takes a tenth of one connection at most.
                    try await Task.sleep(for: min(settings.tick, (clock.now - begun) * 9))
                }
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning("leader duties failed and will be tried again", metadata: ["error": "\(error)"])
                leads = false
                renewal = clock.now
                try? await Task.sleep(for: settings.tick)
                continue
            }
            await resolving.wait(after: heard, upTo: min(settings.tick, max(.zero, renewal - clock.now)))
        }
    }
}
