import QuernFormats
import QuernJobs
import QuernStore

/// A worker that does nothing with what it claims.
struct SimulatedWorker: Sendable {
    let number: Int
    let service: any WorkerService
    /// Seconds from one claim to the next, on average, as far as the coordinator is quick enough.
    let pause: Double
    let record: Record

    func run() async throws {
        let clock = ContinuousClock()
        // Not all at once.
        try await Task.sleep(for: .seconds(Double.random(in: 0...max(pause, 1))))
        let grant = try await service.openSession(
            SessionRequest(node: "node \(number)", slots: 1, memory: 1 << 34, stages: Stage.allCases))
        var heartbeat = clock.now
        while !Task.isCancelled {
            let begin = clock.now
            let wait = Duration.seconds(pause * Double.random(in: 0.5...1.5))
            do {
                let asked = clock.now
                let claims = try await service.claim(grant.session, limit: 1, wait: .seconds(5))
                let got = clock.now
                if !claims.isEmpty { record.claimed(after: got - asked) }
                for claim in claims {
                    try await Task.sleep(for: wait / 2)
                    let completion = Self.completion(of: claim)
                    let handed = clock.now
                    try await service.complete(claim.lease, completion)
                    record.completed(after: clock.now - handed)
                }
                if clock.now - heartbeat > .seconds(grant.heartbeatSeconds) {
                    heartbeat = clock.now
                    _ = try await service.heartbeat(grant.session, HeartbeatReport(leases: []))
                }
            } catch let error as QuernError {
                guard error.code != .cancelled else { return }
                record.failed()
            }
            let left = wait - (clock.now - begin)
            if left > .zero { try await Task.sleep(for: left) }
        }
    }

    /// A result of the size that encoding a span to two types has.
    private static func completion(of claim: Claim) -> Completion {
        let name = Array("\(claim.lease.item)".utf8)
        let parts = (0..<2).map { index in
            Part(digest: Digest(of: name + [UInt8(index)]), bytes: 1 << 20, squaredError: 0.25, squaredNorm: 4)
        }
        return Completion(
            result: .encode(EncodeResult(parts: parts)),
            cache: parts.enumerated().map {
                .init(key: Digest(of: name + [UInt8($0.offset), 1]), part: $0.element)
            })
    }
}
