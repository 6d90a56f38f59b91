import Foundation
import Synchronization

/// Calls something until the time is up, from some threads.
/// - Parameters:
///   - weights: of a call.
///   - seconds: at the least.
/// - Returns: millions of weights per second.
func rate(weights: Int, threads: Int, seconds: Double, _ call: @Sendable () throws -> Void) throws -> Double {
    try call()
    let begun = ContinuousClock.now
    let end = begun + .seconds(seconds)
    let calls = Mutex(0)
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
        repeat {
            do {
                try call()
                calls.withLock { $0 += 1 }
            } catch { return failure.withLock { $0 = error } }
        } while ContinuousClock.now < end
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
    let taken = (ContinuousClock.now - begun) / .seconds(1)
    return Double(calls.withLock { $0 } * weights) / taken * 1e-6
}
