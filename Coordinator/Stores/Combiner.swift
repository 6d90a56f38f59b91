import Synchronization

/// Gathers calls that come while an earlier batch is under way, so that many of them share one transaction: under
/// load a commit costs the same for fifty calls as for one, and who shares it need not wait for the locks of others.
final class Combiner<Call: Sendable, Answer: Sendable>: Sendable {
    private struct State {
        var waiting: [(call: Call, continuation: CheckedContinuation<Answer, any Error>)] = []
        var isRunning = false
    }
    private let state = Mutex(State())
    private let largestBatch: Int

    init(largestBatch: Int) { self.largestBatch = largestBatch }

    /// Has `call` answered in the next batch.
    /// - Parameter run: answers a batch, call by call; what it throws is the answer to them all.
    func answer(
        to call: Call, by run: @escaping @Sendable ([Call]) async throws -> [Result<Answer, any Error>]
    ) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            let begins = state.withLock { state in
                state.waiting.append((call, continuation))
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if begins { Task { await self.runAll(run) } }
        }
    }

    private func runAll(_ run: @Sendable ([Call]) async throws -> [Result<Answer, any Error>]) async {
        while true {
            let batch = state.withLock { state in
                let count = min(largestBatch, state.waiting.count)
                defer { state.waiting.removeFirst(count) }
                if count == 0 { state.isRunning = false }
                return Array(state.waiting.prefix(count))
            }
            guard !batch.isEmpty else { return }
            do {
                let answers = try await run(batch.map(\.call))
                for (caller, answer) in zip(batch, answers) { caller.continuation.resume(with: answer) }
            } catch {
                for caller in batch { caller.continuation.resume(throwing: error) }
            }
        }
    }
}
