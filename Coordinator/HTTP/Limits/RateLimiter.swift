import QuernFormats
import QuernStore
import Synchronization

/// A bucket that tokens drip into: each request takes one, and waits where there is none.
struct TokenBucket {
    private var level: Double
    private var time: ContinuousClock.Instant

    init(full level: Double, at time: ContinuousClock.Instant) {
        self.level = level
        self.time = time
    }

    /// - Returns: nil where a token was taken; otherwise the seconds until there is one.
    mutating func take(rate: Double, burst: Double, at now: ContinuousClock.Instant) -> Double? {
        fill(rate: rate, burst: burst, at: now)
        guard level < 1 else {
            level -= 1
            return nil
        }
        return (1 - level) / rate
    }

    mutating func isFull(rate: Double, burst: Double, at now: ContinuousClock.Instant) -> Bool {
        fill(rate: rate, burst: burst, at: now)
        return level >= burst
    }

    private mutating func fill(rate: Double, burst: Double, at now: ContinuousClock.Instant) {
        let passed = max(0, (now - time).seconds)
        level = min(burst, level + passed * rate)
        time = max(time, now)
    }
}

/// Who asks, as far as rates go.
enum Caller: Hashable, Sendable {
    /// Whoever shows this token.
    case token(Digest)
    case address(PeerAddress)
    /// Those who came when there were too many to tell apart.
    case others
}

/// Keeps callers to a rate, each on its own.
final class RateLimiter: Sendable {
    private let rate: Double
    private let burst: Double
    private let most: Int
    private let buckets = Mutex<[Caller: TokenBucket]>([:])

    /// - Parameters:
    ///   - rate: requests a second.
    ///   - burst: requests at once; at least 1.
    ///   - most: callers that are told apart.
    init(rate: Double, burst: Double, most: Int = 65_536) {
        self.rate = rate
        self.burst = burst
        self.most = most
    }

    /// Callers that are remembered.
    var count: Int { buckets.withLock { $0.count } }

    /// - Returns: nil where the caller may go on; otherwise the seconds until then.
    func take(_ caller: Caller, at now: ContinuousClock.Instant = .now) -> Double? {
        buckets.withLock { buckets in
            var caller = caller
            if buckets[caller] == nil, buckets.count >= most {
                // A full bucket says no more than none does.
                for (key, bucket) in buckets {
                    var bucket = bucket
                    if bucket.isFull(rate: rate, burst: burst, at: now) { buckets[key] = nil }
                }
                if buckets.count >= most { caller = .others }
            }
            return buckets[caller, default: TokenBucket(full: burst, at: now)].take(rate: rate, burst: burst, at: now)
        }
    }
}

extension HTTPProblem {
    /// 429, with the time to wait.
    static func tooManyRequests(_ what: String, seconds: Double) -> HTTPProblem {
        HTTPProblem(
            error: QuernError(.unavailable, what, remedy: "Ask again after the time that Retry-After names"),
            status: 429, headers: [.retryAfter: "\(max(1, Int(min(seconds, 3600).rounded(.up))))"])
    }
}
