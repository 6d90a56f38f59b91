import Foundation
import Hummingbird
import HummingbirdTesting
import QuernFormats
import QuernJobs
import QuernStore
import Testing

@Suite struct RoutesWorkerTests {
    /// One worker that speaks HTTP.
    private struct Caller {
        let client: any TestClientProtocol

        func post(_ path: String, _ value: some Encodable) async throws -> TestResponse {
            try await client.execute(
                uri: path, method: .post, headers: [.contentType: "application/json"], body: try jsonBody(value))
        }

        func session() async throws -> SessionGrant {
            let response = try await post("/v1/sessions", ServiceRig.worker)
            #expect(response.status == .created)
            return try response.json()
        }

        func claim(_ session: SessionID, limit: Int = 8) async throws -> [Claim] {
            try await post("/v1/claims", Wire.ClaimRequest(session: session, limit: limit, waitSeconds: 0))
                .json(Wire.Claims.self).claims
        }
    }

    @Test func fromSessionToManifest() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.route { client in
            let caller = Caller(client: client)
            let grant = try await caller.session()
            #expect(grant.heartbeatSeconds == 10)
            #expect(grant.expirySeconds == 45)
            var stages: [Stage] = []
            while true {
                let claims = try await caller.claim(grant.session)
                if claims.isEmpty { break }
                for claim in claims {
                    stages.append(claim.payload.stage)
                    let report = HeartbeatReport(leases: [.init(lease: claim.lease, fraction: 0.5)])
                    let reply: HeartbeatReply = try await caller.post(
                        "/v1/sessions/\(grant.session)/heartbeat", report
                    ).json()
                    #expect(reply.lost.isEmpty)
                    let body = Wire.Complete(lease: claim.lease, completion: try rig.completion(of: claim))
                    for _ in 0..<2 {
                        // The second time it is a replay.
                        let response = try await caller.post("/v1/leases/\(claim.lease.id)/complete", body)
                        #expect(response.status == .noContent)
                    }
                }
            }
            #expect(stages == [.encode, .encode, .encode, .assemble, .publish])
            let close = try await client.execute(uri: "/v1/sessions/\(grant.session)", method: .delete)
            #expect(close.status == .noContent)
            let closed = try await caller.post(
                "/v1/claims", Wire.ClaimRequest(session: grant.session, limit: 1, waitSeconds: 0))
            #expect(try closed.problem(404).code == .notFound)
        }
        _ = try await rig.store.resolve()
        #expect(try await rig.coordinator.job(job.id).state == .done)
    }

    @Test func inputsAndPartsSurviveTheWire() async throws {
        let rig = try await ServiceRig.make()
        try await rig.submit()
        try await rig.route { client in
            let caller = Caller(client: client)
            let session = try await caller.session().session
            let part = Part(
                digest: Sample.digest("p"), bytes: .max, squaredError: 0.1 + 0.2, squaredNorm: .leastNonzeroMagnitude)
            let completion = Completion(
                result: .encode(EncodeResult(parts: [part])), cache: [.init(key: Sample.digest("k"), part: part)])
            for claim in try await caller.claim(session) {
                _ = try await caller.post(
                    "/v1/leases/\(claim.lease.id)/complete", Wire.Complete(lease: claim.lease, completion: completion))
            }
            let assemble = try #require(try await caller.claim(session).first)
            #expect(assemble.inputs == [0: completion.result, 1: completion.result, 2: completion.result])

            let keys = Wire.LookUp(keys: [Sample.digest("k"), Sample.digest("unknown")])
            // A part whose blob is gone is none.
            let without: Wire.Parts = try await caller.post("/v1/cache/lookup", keys).json()
            #expect(without.parts.isEmpty)
            try await rig.blobs.put(Array("p".utf8))
            let with: Wire.Parts = try await caller.post("/v1/cache/lookup", keys).json()
            #expect(with.parts == [Sample.digest("k").hex: part])
        }
    }

    @Test(arguments: [-0.001, 1.001])
    func fractionsLieBetweenNoneAndAll(_ fraction: Double) async throws {
        let rig = try await ServiceRig.make()
        try await rig.submit()
        try await rig.route { client in
            let caller = Caller(client: client)
            let session = try await caller.session().session
            let claims = try await caller.claim(session)
            let leases = claims.map { HeartbeatReport.Progress(lease: $0.lease, fraction: 0) }
            let wrong = HeartbeatReport.Progress(lease: claims[0].lease, fraction: fraction)
            let response = try await caller.post(
                "/v1/sessions/\(session)/heartbeat", HeartbeatReport(leases: leases + [wrong]))
            let problem = try response.problem(400)
            #expect(problem.code == .usage)
            #expect(problem.location == "leases[\(leases.count)].fraction")
        }
    }

    /// A fence is any number that its sender likes, and none brings the coordinator down.
    @Test(arguments: [Int64.min, -1, .max])
    func fencesAtTheEnds(_ fence: Int64) async throws {
        let rig = try await ServiceRig.make()
        try await rig.submit()
        try await rig.route { client in
            let caller = Caller(client: client)
            let claim = try #require(try await caller.claim(try await caller.session().session, limit: 1).first)
            let completion = Sample.completion("a")
            let path = "/v1/leases/\(claim.lease.id)/complete"
            let first = try await caller.post(path, Wire.Complete(lease: claim.lease, completion: completion))
            #expect(first.status == .noContent)
            let lease = Lease(item: claim.lease.item, id: claim.lease.id, fence: fence)
            let again = try await caller.post(path, Wire.Complete(lease: lease, completion: Sample.completion("b")))
            #expect(try again.problem(409).code == .conflict)
        }
    }

    @Test func failuresReleasesAndConflicts() async throws {
        let rig = try await ServiceRig.make()
        let job = try await rig.submit()
        try await rig.route { client in
            let caller = Caller(client: client)
            let session = try await caller.session().session
            let first = try #require(try await caller.claim(session, limit: 1).first)
            let release = try await caller.post(
                "/v1/leases/\(first.lease.id)/release", Wire.Release(lease: first.lease))
            #expect(release.status == .noContent)

            let late = try await caller.post(
                "/v1/leases/\(first.lease.id)/complete",
                Wire.Complete(lease: first.lease, completion: Sample.completion("late")))
            #expect(try late.problem(409).code == .conflict)

            let second = try #require(try await caller.claim(session, limit: 1).first)
            let elsewhere = try await caller.post("/v1/leases/other/release", Wire.Release(lease: second.lease))
            #expect(try elsewhere.problem(400).location == "lease.id")
            let failure = try await caller.post(
                "/v1/leases/\(second.lease.id)/fail",
                Wire.Fail(lease: second.lease, failure: Sample.failure(.permanent, "no such tensor")))
            #expect(failure.status == .noContent)

            let lost: HeartbeatReply = try await caller.post(
                "/v1/sessions/\(session)/heartbeat",
                HeartbeatReport(leases: [.init(lease: second.lease, fraction: 0)])
            ).json()
            #expect(lost.lost == [second.lease])
            let metrics = try await client.execute(uri: "/metrics", method: .get).text
            #expect(metrics.contains("\nquern_lease_conflicts_total 1\n"))
            #expect(metrics.contains("\nquern_items_failed_total 1\n"))
            #expect(metrics.contains("\nquern_items_released_total 1\n"))
        }
        let failed = try await rig.coordinator.job(job.id)
        #expect(failed.state == .failed)
        #expect(failed.failure?.contains("no such tensor") == true)
    }

    @Test(arguments: [(0, 0.0), (-1, 0), (1, -1), (1, 4000)])
    func claimsOutOfRange(_ limit: Int, _ wait: Double) async throws {
        try await ServiceRig.make().route { client in
            let caller = Caller(client: client)
            let session = try await caller.session().session
            let response = try await caller.post(
                "/v1/claims", Wire.ClaimRequest(session: session, limit: limit, waitSeconds: wait))
            #expect(try response.problem(400).code == .usage)
        }
    }

    @Test func fullDiskStopsClaims() async throws {
        let rig = try await ServiceRig.make { $0.claimLimit = 0 }
        try await rig.submit()
        try await rig.route { client in
            let caller = Caller(client: client)
            let session = try await caller.session().session
            #expect(try await caller.claim(session).isEmpty)
        }
    }

    @Test(arguments: Stage.allCases)
    func resultsNameTheirKind(_ stage: Stage) throws {
        let result: WorkResult =
            switch stage {
            case .digest: .digest(DigestResult(sha256: Sample.digest("d"), size: 1))
            case .tokenize:
                .tokenize(
                    TokenizeResult(
                        tokens: Sample.digest("t"), chunks: 2, text: Sample.digest("x"), distinctTokens: 3,
                        vocabulary: 4))
            case .calibrate: .calibrate(CalibrateResult(statistics: [Sample.digest("s")]))
            case .merge:
                .merge(
                    MergeResult(
                        sha256: Sample.digest("s"), statistics: [Sample.digest("s")], index: Sample.digest("i"),
                        chunks: 2, coverage: [ExpertCoverage(layer: 0, tokens: [1, 2])]))
            case .scan: .scan(ScanResult(weights: 1.5, input: 2))
            case .balance: .balance(BalanceResult(vector: Sample.digest("b")))
            case .factor: .factor(FactorResult(factor: [Sample.digest("f")]))
            case .measure:
                .measure(
                    MeasureResult(tensors: Sample.costs.tensors, losses: [2.5]))
            case .collect: .collect(CollectResult(costs: Sample.costs))
            case .encode: .encode(EncodeResult(parts: [Sample.part("p")]))
            case .assemble:
                .assemble(AssembleResult(file: "f", size: 1, sha256: Sample.digest("a"), tensors: []))
            case .evaluate: .evaluate(EvaluateResult(scores: [Sample.digest("e")]))
            case .publish: .publish(PublishResult(sha256: Sample.digest("m"), size: 1))
            }
        let text = String(buffer: try jsonBody(result))
        #expect(text.hasPrefix("{\"\(stage.rawValue)\":{"))
        #expect(try JSONDecoder().decode(WorkResult.self, from: Data(text.utf8)) == result)
    }
}
