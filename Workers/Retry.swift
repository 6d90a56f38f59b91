import Logging
import QuernFormats

/// Tries calls again while the other side cannot be reached: for hours, if need be.
struct Retry: Sendable {
    /// First and longest pause.
    let pause: ClosedRange<Duration>
    let logger: Logger

    /// Repeats `call` while it throws `.unavailable`, pausing twice as long each time, ±50 % so that a hundred workers
    /// do not come back at once.
    /// - Parameters:
    ///   - stop: ends the trying, even in the midst of a call.
    ///   - faults: what else passes by itself, if not after `patience`.
    /// - Throws: any other error of `call`; `CancellationError` where `stop` fired.
    func call<Value: Sendable>(
        _ what: String, until stop: Signal, waitingOut faults: Set<QuernError.Code> = [],
        atMost patience: Duration? = nil, _ call: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        var next = pause.lowerBound
        var failures = 0
        let begun = ContinuousClock.now
        while !stop.isFired {
            do {
                guard let value = try await stop.racing(call) else { break }
                if failures > 0 { logger.info("\(what): succeeded after \(failures) failures") }
                return value
            } catch let error as QuernError
                where error.code == .unavailable
                || faults.contains(error.code) && patience.map { ContinuousClock.now - begun < $0 } ?? true
            {
                failures += 1
                if failures == 1 { logger.warning("\(what): \(error); trying again until it succeeds") }
                await stop.wait(atMost: next * Double.random(in: 0.5...1.5))
                next = min(next * 2, pause.upperBound)
            }
        }
        throw CancellationError()
    }
}
