import Dispatch
import Foundation
import QuernFormats
import QuernStore
import Synchronization

/// Turns SIGINT and SIGTERM into cancellation of the work at hand, so that it drains in place of breaking off.
enum Interruption {
    /// Runs what serves until it is told to stop: a signal is its proper end.
    static func untilSignalled(_ work: @escaping @Sendable () async throws -> Void) async throws {
        do {
            try await watched(work)
        } catch let error as QuernError where error.code == .cancelled {
            return
        }
    }

    /// Runs `work` until it ends or a signal comes.
    /// - Parameter remedy: what one whose signal ended it can do.
    /// - Throws: what `work` throws, or `QuernError` `.cancelled` where a signal ended it.
    static func watched<Result: Sendable>(
        remedy: String = "The same command run again goes on from here",
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await work() }
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { task.cancel() }
            source.resume()
            return source
        }
        defer { sources.forEach { $0.cancel() } }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            guard task.isCancelled else { throw error }
            throw QuernError(.cancelled, "interrupted", remedy: remedy)
        }
    }

    /// Runs blocking work on a thread of its own until it ends or a signal comes. What was interrupted has left nothing.
    /// - Parameters:
    ///   - name: of the thread.
    ///   - work: calls its argument several times a second, and lets what that throws pass.
    /// - Throws: what `work` throws, or `QuernError` `.cancelled` where a signal ended it.
    static func computed<Result: Sendable>(
        _ name: String, _ work: @escaping @Sendable (_ check: () throws -> Void) throws -> Result
    ) async throws -> Result {
        let thread = ThreadPool(name: name, threads: 1)
        let mark = Mark()
        return try await watched(remedy: "Nothing was kept: start it again") {
            try await withTaskCancellationHandler {
                try await thread.run {
                    try work { if mark.isSet { throw CancellationError() } }
                }
            } onCancel: {
                mark.set()
            }
        }
    }

    /// Set once, seen by another thread.
    private final class Mark: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }
}
