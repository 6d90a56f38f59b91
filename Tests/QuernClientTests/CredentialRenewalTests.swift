import Foundation
import NIOCore
import QuernClient
import QuernFormats
import QuernStore
import Synchronization
import Testing

/// Credentials that expire, with a clock and a service that the test moves.
@Suite struct CredentialRenewalTests {
    private final class Service: Sendable {
        private struct State {
            var now = Date(timeIntervalSince1970: 1_700_000_000)
            var asked = 0
            var failure: QuernError?
            var isHeld = false
        }
        private let state = Mutex(State())

        var asked: Int { state.withLock { $0.asked } }

        func wait(_ minutes: Double) { state.withLock { $0.now += minutes * 60 } }
        func fail(_ error: QuernError?) { state.withLock { $0.failure = error } }
        func hold(_ isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }

        /// - Parameter minutes: for which each credentials are good.
        func credentials(minutes: Double = 60) -> AWSCredentials {
            AWSCredentials(clock: { self.state.withLock { $0.now } }) {
                let number = self.state.withLock { state in
                    state.asked += 1
                    return state.asked
                }
                while self.state.withLock({ $0.isHeld }) { await Task.yield() }
                return try self.state.withLock { state in
                    if let failure = state.failure { throw failure }
                    return S3Credentials(
                        accessKey: "ASIA\(number)", secretKey: "s", sessionToken: "token\(number)",
                        expires: state.now + minutes * 60, source: "the test")
                }
            }
        }

        /// Returns once it was asked so often, and nobody waits for an answer.
        func settled(_ credentials: AWSCredentials, asked: Int, key: String) async throws {
            for _ in 0..<1_000_000 {
                if self.asked == asked, try await credentials.current().accessKey == key { return }
                await Task.yield()
            }
            Issue.record("asked \(self.asked) times in place of \(asked), or not \(key)")
        }
    }

    @Test func goodOnesAreKept() async throws {
        let service = Service()
        let credentials = service.credentials()
        for _ in 0..<3 {
            #expect(try await credentials.current().accessKey == "ASIA1")
            service.wait(14)
        }
        #expect(service.asked == 1)
    }

    @Test func othersAreFetchedLongBefore() async throws {
        let service = Service()
        let credentials = service.credentials()
        _ = try await credentials.current()
        service.wait(46)
        // Nobody waits for the new ones while the old ones are good.
        #expect(try await credentials.current().accessKey == "ASIA1")
        try await service.settled(credentials, asked: 2, key: "ASIA2")
    }

    /// Those of a quarter of an hour would otherwise be fetched all the time.
    @Test func thoseOfAShortLifeToo() async throws {
        let service = Service()
        let credentials = service.credentials(minutes: 15)
        _ = try await credentials.current()
        service.wait(9)
        #expect(try await credentials.current().accessKey == "ASIA1")
        #expect(service.asked == 1)
        service.wait(2)
        _ = try await credentials.current()
        try await service.settled(credentials, asked: 2, key: "ASIA2")
    }

    @Test func oneRequestHoweverManyAsk() async throws {
        let service = Service()
        let credentials = service.credentials()
        for round in 1...2 {
            service.hold(true)
            let tasks = (0..<50).map { _ in Task { try await credentials.current() } }
            while service.asked < round { await Task.yield() }
            service.hold(false)
            for task in tasks { #expect(try await task.value.accessKey == "ASIA\(round)") }
            #expect(service.asked == round)
            service.wait(61)
        }
    }

    @Test func oldOnesGoOnWhileTheyAreGood() async throws {
        let service = Service()
        let credentials = service.credentials()
        _ = try await credentials.current()
        service.fail(QuernError(.unavailable, "away"))
        // In the last seconds new ones are waited for; the old ones stand in.
        service.wait(59.8)
        #expect(try await credentials.current().accessKey == "ASIA1")
        #expect(service.asked == 2)
        service.wait(0.1)
        #expect(try await credentials.current().accessKey == "ASIA1")
        service.wait(0.2)
        let error = await #expect(throws: QuernError.self) { try await credentials.current() }
        #expect(error?.message == "away")
        service.fail(nil)
        #expect(try await credentials.current().accessKey == "ASIA4")
    }

    @Test func aServiceThatFailsIsLeftAloneForAMoment() async throws {
        let service = Service()
        let credentials = service.credentials()
        _ = try await credentials.current()
        service.fail(QuernError(.unavailable, "away"))
        service.wait(50)
        for _ in 0..<1000 { _ = try await credentials.current() }
        while service.asked < 2 { await Task.yield() }
        for _ in 0..<1000 { _ = try await credentials.current() }
        #expect(service.asked == 2)
    }

    @Test func thoseThatHadExpiredWhenTheyCameAreNone() async throws {
        let credentials = Service().credentials(minutes: -1)
        let error = await #expect(throws: QuernError.self) { try await credentials.current() }
        #expect(error?.code == .unavailable && error?.message.contains("had expired when they came") == true)
    }

    // MARK: Requests

    /// The session tokens that requests carried.
    private final class Requests: Sendable {
        private let tokens = Mutex<[String]>([])
        var seen: [String] { tokens.withLock { $0 } }

        /// - Parameter expired: those that are refused, whatever was said of them.
        func store(_ credentials: AWSCredentials, expired: Set<String> = []) throws -> S3BlobStore {
            let settings = AWSSettings(environment: ["AWS_REGION": "eu-west-1"]) { _ in nil }
            return S3BlobStore(
                client: S3Client(location: try S3URL("s3://models/x").location(settings), credentials: credentials) {
                    [self] _, headers, _ in
                    let token = headers.first { $0.name == "x-amz-security-token" }?.value ?? ""
                    let key = headers.first { $0.name == "Authorization" }?.value ?? ""
                    #expect(key.contains("Credential=\(token.replacing("token", with: "ASIA"))/"))
                    tokens.withLock { $0.append(token) }
                    guard expired.contains(token) else { return S3Response(status: 200) }
                    return S3Response(
                        status: 400, body: ByteBuffer(string: "<Error><Code>ExpiredToken</Code></Error>"))
                })
        }
    }

    @Test func requestsAfterARenewalUseTheNewOnes() async throws {
        let (service, requests) = (Service(), Requests())
        let credentials = service.credentials()
        let store = try requests.store(credentials)
        _ = try await store.contains(Digest(of: []))
        service.wait(46)
        _ = try await store.contains(Digest(of: []))
        try await service.settled(credentials, asked: 2, key: "ASIA2")
        _ = try await store.contains(Digest(of: []))
        service.wait(61)
        _ = try await store.contains(Digest(of: []))
        #expect(requests.seen == ["token1", "token1", "token2", "token3"])
    }

    @Test func onesThatAreRefusedAsExpiredAreReplaced() async throws {
        let (service, requests) = (Service(), Requests())
        let store = try requests.store(service.credentials(), expired: ["token1"])
        #expect(try await store.contains(Digest(of: [])))
        #expect(requests.seen == ["token1", "token2"])
    }

    /// Once: whoever gives out such credentials will do so again.
    @Test func butNotForEver() async throws {
        let (service, requests) = (Service(), Requests())
        let store = try requests.store(service.credentials(), expired: ["token1", "token2", "token3"])
        let error = await #expect(throws: QuernError.self) { try await store.contains(Digest(of: [])) }
        #expect(error?.code == .unauthorized && error?.message.contains("have expired") == true)
        #expect(requests.seen == ["token1", "token2"])
    }
}
