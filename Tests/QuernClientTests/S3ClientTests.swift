import NIOCore
import QuernClient
import QuernFormats
import QuernStore
import Synchronization
import Testing

/// What becomes of answers that are no success, with a server that gives them in a fixed order.
@Suite struct S3ClientTests {
    /// Answers requests one after the other, and remembers them.
    private final class Script: Sendable {
        private let state: Mutex<(steps: [Result<S3Response, QuernError>], seen: [String])>

        init(_ steps: [Result<S3Response, QuernError>]) { state = Mutex((steps, [])) }

        var seen: [String] { state.withLock { $0.seen } }

        func store(attempts: Int = 5) throws -> S3BlobStore {
            var patience = Patience()
            patience.attempts = attempts
            patience.pause = .microseconds(100)
            let settings = AWSSettings(environment: ["AWS_REGION": "eu-west-1"]) { _ in nil }
            return S3BlobStore(
                client: S3Client(
                    location: try S3URL("s3://models/x").location(settings),
                    credentials: AWSCredentials(
                        S3Credentials(accessKey: "A", secretKey: "secretB", source: "AWS_ACCESS_KEY_ID")),
                    patience: patience
                ) { [self] request, _, _ in
                    try state.withLock { state in
                        state.seen.append("\(request.method) \(request.path)")
                        return try state.steps.isEmpty
                            ? S3Response(status: 200) : state.steps.removeFirst().get()
                    }
                })
        }
    }

    private static func answer(
        _ status: Int, _ code: String = "", _ headers: [String: String] = [:], more: String = ""
    ) -> Result<S3Response, QuernError> {
        let body = "<?xml version=\"1.0\"?>\n<Error><Code>\(code)</Code><Message>Said so</Message>\(more)</Error>"
        return .success(
            S3Response(status: status, headers: headers, body: ByteBuffer(string: code.isEmpty ? "" : body)))
    }

    private static let lost: Result<S3Response, QuernError> = .failure(QuernError(.unavailable, "connection reset"))

    @Test(arguments: [
        [answer(500, "InternalError")], [answer(502)], [answer(503, "SlowDown")], [answer(504)], [answer(429)],
        [answer(400, "RequestTimeout")], [answer(400, "BadDigest")], [lost], [lost, answer(503), lost, answer(500)],
    ])
    func passingFailuresAreTriedAgain(failures: [Result<S3Response, QuernError>]) async throws {
        let bytes: [UInt8] = [1, 2, 3]
        let script = Script(failures + [.success(S3Response(status: 200, body: ByteBuffer(bytes: bytes)))])
        #expect(try await script.store().get(Digest(of: bytes)) == bytes)
        #expect(script.seen.count == failures.count + 1)
    }

    @Test(arguments: [answer(503, "SlowDown"), lost]) func itGivesUp(
        failure: Result<S3Response, QuernError>
    ) async throws {
        let script = Script(Array(repeating: failure, count: 10))
        let error = await #expect(throws: QuernError.self) { try await script.store(attempts: 3).get(Digest(of: [])) }
        #expect(error?.code == .unavailable)
        #expect(script.seen.count == 3)
    }

    private static let refusals: [(answer: Result<S3Response, QuernError>, code: QuernError.Code, words: [String])] = [
        (
            answer(403, "AccessDenied"), .unauthorized,
            ["AWS_ACCESS_KEY_ID", "s3://models/x/", "AccessDenied"]
        ),
        (answer(403), .unauthorized, ["AWS_ACCESS_KEY_ID", "s3:ListBucket"]),
        (answer(403, "SignatureDoesNotMatch"), .unauthorized, ["not valid", "secret key"]),
        (answer(403, "InvalidAccessKeyId"), .unauthorized, ["not valid"]),
        (answer(403, "RequestTimeTooSkewed"), .unauthorized, ["clock"]),
        (answer(400, "ExpiredToken"), .unauthorized, ["expired"]),
        (answer(404, "NoSuchBucket"), .notFound, ["no bucket 'models'"]),
        (answer(301, "PermanentRedirect", ["x-amz-bucket-region": "us-west-2"]), .usage, ["us-west-2", "eu-west-1"]),
        (answer(400, "", ["x-amz-bucket-region": "us-west-2"]), .usage, ["AWS_REGION=us-west-2"]),
        (
            answer(400, "AuthorizationHeaderMalformed", more: "<Region>us-west-2</Region>"), .usage,
            ["AWS_REGION=us-west-2"]
        ),
        (answer(507, "XMinioStorageFull"), .outOfSpace, ["takes no more"]),
        (answer(418, "Teapot"), .io, ["418", "Teapot: Said so"]),
    ]

    @Test(arguments: refusals)
    func whatRefusalsMean(
        answer: Result<S3Response, QuernError>, code: QuernError.Code, words: [String]
    ) async throws {
        let script = Script([answer])
        let error = await #expect(throws: QuernError.self) { try await script.store().get(Digest(of: [])) }
        #expect(error?.code == code)
        for word in words { #expect(error?.description.contains(word) == true, "\(error?.description ?? "")") }
        #expect(script.seen.count == 1)
    }

    @Test func secretsAreNotInErrors() async throws {
        let script = Script([Self.answer(403, "SignatureDoesNotMatch")])
        let error = await #expect(throws: QuernError.self) { try await script.store().contains(Digest(of: [])) }
        #expect(error.map { "\($0)".contains("secretB") } == false)
    }

    @Test func bytesDamagedOnTheirWayAreReadAgain() async throws {
        let bytes: [UInt8] = [1, 2, 3]
        let script = Script([
            .success(S3Response(status: 200, body: ByteBuffer(bytes: [1, 2]))),
            .success(S3Response(status: 200, body: ByteBuffer(bytes: bytes))),
        ])
        #expect(try await script.store().get(Digest(of: bytes)) == bytes)
        #expect(script.seen.allSatisfy { $0.hasPrefix("GET ") })
    }

    @Test func damageThatCannotBeRemovedIsSaid() async throws {
        let damaged: Result<S3Response, QuernError> = .success(S3Response(status: 200, body: ByteBuffer(bytes: [1])))
        let script = Script([damaged, damaged, Self.answer(403, "AccessDenied")])
        let error = await #expect(throws: QuernError.self) { try await script.store().get(Digest(of: [2])) }
        #expect(error?.code == .corrupted)
        #expect(error?.remedy.hasPrefix("Delete the object") == true)
        #expect(script.seen.map { $0.prefix(4) } == ["GET ", "GET ", "DELE"])
    }

    @Test func pausesEndWhenTheTaskIsCancelled() async throws {
        let script = Script(Array(repeating: Self.lost, count: 10))
        let store = try script.store()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.contains(Digest(of: []))
        }
        let error = await #expect(throws: QuernError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(script.seen.count == 1)
    }
}
