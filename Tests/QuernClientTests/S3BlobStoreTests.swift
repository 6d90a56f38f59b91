import Foundation
import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// What only a bucket does, on a server that checks signatures and rights.
@Suite(.serialized) struct S3BlobStoreTests {
    @Test func whatIsThereIsNotSentAgain() async throws {
        let rig = try await S3Rig()
        let store = try rig.store()
        try await store.put([1, 2, 3])
        #expect(rig.requests == ["HEAD", "PUT"])
        try await store.put([1, 2, 3])
        #expect(rig.requests == ["HEAD", "PUT", "HEAD"])
    }

    @Test func aBlobLiesThereAsItIs() async throws {
        let rig = try await S3Rig()
        let digest = Digest(of: [4, 5, 6])
        #expect(
            S3BlobStore.key(of: digest)
                == "sha256/78/7c/787c798e39a5bc1910355bae6d0cd87a36b2e10fd0202a83e3bb6b005da83472")
        // Not through the store, which would look whether it is the same.
        try await rig.overwrite(digest, with: [4, 5, 6])
        #expect(try await rig.store().get(digest) == [4, 5, 6])
    }

    @Test(arguments: [[1, 2, 4], [1, 2], []] as [[UInt8]])
    func damageIsFoundAndHealed(damaged: [UInt8]) async throws {
        let rig = try await S3Rig()
        let store = try rig.store()
        let digest = try await store.put([1, 2, 3])
        try await rig.overwrite(digest, with: damaged)
        let error = await #expect(throws: QuernError.self) { try await store.get(digest) }
        #expect(error?.code == .corrupted)
        #expect(error?.remedy.contains("made again") == true)
        #expect(try await !store.contains(digest))
        try await store.put([1, 2, 3])
        #expect(try await store.get(digest) == [1, 2, 3])
    }

    @Test func anObjectOfAnotherLengthIsReplaced() async throws {
        let rig = try await S3Rig()
        let store = try rig.store()
        let digest = Digest(of: [1, 2, 3])
        try await rig.overwrite(digest, with: [1, 2])
        try await store.put([1, 2, 3])
        #expect(try await store.get(digest) == [1, 2, 3])
    }

    @Test func anObjectLargerThanABlobIsDamaged() async throws {
        let rig = try await S3Rig()
        let store = try rig.store()
        let digest = Digest(of: [1, 2, 3])
        try await rig.overwrite(digest, with: [UInt8](repeating: 0, count: maximumBlobBytes + 1))
        let error = await #expect(throws: QuernError.self) { try await store.get(digest) }
        #expect(error?.code == .corrupted)
        #expect(try await !store.contains(digest))
    }

    @Test func lostBlobsAreNotFound() async throws {
        let rig = try await S3Rig()
        let digest = try await rig.store().put([1, 2, 3])
        try await rig.overwrite(digest, with: nil)
        let error = await #expect(throws: QuernError.self) { try await rig.store().get(digest) }
        #expect(error?.code == .notFound)
    }

    @Test func theBucketIsChecked() async throws {
        try await S3Rig().store().checkBucket()
        let missing = try await S3Rig(bucket: S3Server.missingBucket).store()
        let none = await #expect(throws: QuernError.self) { try await missing.checkBucket() }
        #expect(none?.code == .notFound)
        #expect(none?.message.contains("'\(S3Server.missingBucket)'") == true)
        let put = await #expect(throws: QuernError.self) { try await missing.put([1]) }
        #expect(put?.code == .notFound)
    }

    @Test func whatIsNotAllowedSaysToWhomAndWhere() async throws {
        let store = try await S3Rig(bucket: S3Server.closedBucket).store()
        let errors = [
            await #expect(throws: QuernError.self) { try await store.checkBucket() },
            await #expect(throws: QuernError.self) { try await store.put([1]) },
            await #expect(throws: QuernError.self) { _ = try await store.get(Digest(of: [1])) },
        ]
        for error in errors {
            #expect(error?.code == .unauthorized)
            #expect(error?.description.contains("the credentials from the test do not allow it") == true)
            #expect(error?.location.hasPrefix("s3://\(S3Server.closedBucket)/tests/") == true)
        }
    }

    @Test func aWrongSecretIsRefused() async throws {
        let store = try await S3Rig(secret: "notthesecret").store()
        let error = await #expect(throws: QuernError.self) { _ = try await store.get(Digest(of: [1])) }
        #expect(error?.code == .unauthorized)
        #expect(error?.message.contains("not valid") == true)
    }

    /// The key may do nothing in this bucket, and the role it may assume everything.
    @Test func aRoleOpensWhatItsKeyDoesNot() async throws {
        let (server, folder) = (try await S3Server.shared, try TemporaryFolder())
        let path = folder.path("config")
        try """
        [profile role]
        role_arn = \(server.role)
        credential_source = Environment
        """.write(toFile: path, atomically: true, encoding: .utf8)
        let environment = server.environment.merging(
            ["AWS_CONFIG_FILE": path, "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_ENDPOINT_URL_STS": server.endpoint]
        ) { $1 }
        let place = "s3://\(S3Server.closedBucket)/\(UUID().uuidString)"
        let closed = try S3BlobStore(url: place, environment: environment)
        let error = await #expect(throws: QuernError.self) { try await closed.put([1, 2, 3]) }
        #expect(error?.code == .unauthorized)
        let store = try S3BlobStore(url: place + "?profile=role", environment: environment)
        let digest = try await store.put([1, 2, 3])
        #expect(try await store.get(digest) == [1, 2, 3])
        let wrong = try S3BlobStore(
            url: place + "?profile=role",
            environment: environment.merging(["AWS_SECRET_ACCESS_KEY": "wrong"]) { $1 })
        let refusal = await #expect(throws: QuernError.self) { try await wrong.get(digest) }
        #expect(refusal?.code == .unauthorized && refusal?.message.contains("AssumeRole") == true)
    }

    @Test func aServerThatIsAwayIsUnavailable() async throws {
        let settings = AWSSettings(environment: [:]) { _ in nil }
        let location = try S3URL("s3://models?endpoint=http://127.0.0.1:\(try freePort())").location(settings)
        var patience = Patience()
        patience.attempts = 2
        let client = S3Client(
            location: location,
            credentials: AWSCredentials(S3Credentials(accessKey: "A", secretKey: "B", source: "the test")),
            patience: patience)
        let error = await #expect(throws: QuernError.self) {
            try await S3BlobStore(client: client).contains(Digest(of: []))
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("Connection refused") == true)
    }
}
