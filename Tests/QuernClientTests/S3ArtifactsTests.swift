import Foundation
import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Artifacts in a bucket, on a server that checks signatures and rights.
@Suite(.serialized) struct S3ArtifactsTests {
    private let mebibyte: UInt64 = 1 << 20

    private func artifacts(
        _ bucket: String = S3Server.bucket, _ change: [String: String] = [:]
    ) async throws -> S3Artifacts {
        let environment = try await S3Server.shared.environment.merging(change) { $1 }
        return try S3Artifacts(
            url: "s3://\(bucket)/artifacts a+b/\(UUID().uuidString)?region=us-east-1", environment: environment)
    }

    private func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: index &* seed >> 7) }
            initialized = count
        }
    }

    @Test func anObjectIsSeenWhenItIsWhole() async throws {
        let artifacts = try await artifacts().below("job")
        let content = bytes(40 << 20, 31)
        let upload = try await artifacts.begin("folder/m.gguf", size: UInt64(content.count))
        #expect(upload.partBytes == 16 << 20)
        // In any order.
        for index in [2, 0, 1] {
            let part = Array(content[index << 24..<min((index + 1) << 24, content.count)])
            #expect(try await upload.put(part, at: index) == Digest(of: part))
            let none = await #expect(throws: QuernError.self) { try await artifacts.open("folder/m.gguf") }
            #expect(none?.code == .notFound)
        }
        let object = try await upload.finish()
        #expect(object.size == UInt64(content.count))
        for range in [0..<10, 15 * mebibyte..<17 * mebibyte, object.size - 3..<object.size, 5..<5] {
            #expect(try await object.bytes(range) == Array(content[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
        let opened = try await artifacts.open("folder/m.gguf")
        #expect(opened.size == object.size)
        #expect(try artifacts.path(of: "folder/m.gguf").hasSuffix("/job/folder/m.gguf?region=us-east-1"))
        try await object.remove()
        await #expect(throws: QuernError.self) { try await artifacts.open("folder/m.gguf") }
    }

    /// Who begins last finishes; the other learns it, and leaves the object alone.
    @Test func anUploadThatWasLeftIsThrownAway() async throws {
        let artifacts = try await artifacts().below("job")
        let other = try await artifacts.begin("n.gguf", size: 3)
        let left = try await artifacts.begin("m.gguf", size: 3)
        try await left.put([1, 2, 3], at: 0)
        let second = try await artifacts.begin("m.gguf", size: 3)
        for late in 0..<2 {
            let error = await #expect(throws: QuernError.self) {
                if late == 0 { try await left.put([1, 2, 3], at: 0) } else { _ = try await left.finish() }
            }
            #expect(error?.code == .io && error?.message.contains("begun the file again") == true)
        }
        try await second.put([4, 5, 6], at: 0)
        #expect(try await second.finish().bytes(0..<3) == [4, 5, 6])
        // That of another file goes on.
        try await other.put([7, 8, 9], at: 0)
        #expect(try await other.finish().bytes(0..<3) == [7, 8, 9])
        // An answer that was lost on its way is asked for again.
        #expect(try await second.finish().bytes(0..<3) == [4, 5, 6])
    }

    /// By whoever begins another file. The server says of this name that it was begun long ago.
    @Test func uploadsOfYesterdayAreThrownAway() async throws {
        let artifacts = try await artifacts().below("job")
        let old = try await artifacts.begin("yesterday.gguf", size: 3)
        let young = try await artifacts.begin("n.gguf", size: 3)
        _ = try await artifacts.begin("m.gguf", size: 3)
        let error = await #expect(throws: QuernError.self) { try await old.put([1, 2, 3], at: 0) }
        #expect(error?.code == .io)
        try await young.put([1, 2, 3], at: 0)
    }

    @Test func anObjectThatChanges() async throws {
        let artifacts = try await artifacts()
        try await write([1, 2, 3], "manifest.json", artifacts)
        let object = try await artifacts.open("manifest.json")
        #expect(try await object.bytes(1..<3) == [2, 3])
        try await write([4, 5, 6], "manifest.json", artifacts)
        let error = await #expect(throws: QuernError.self) { try await object.bytes(1..<3) }
        #expect(error?.code == .conflict)
        #expect(try await artifacts.open("manifest.json").bytes(0..<3) == [4, 5, 6])
    }

    private func write(_ bytes: [UInt8], _ name: String, _ artifacts: S3Artifacts) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                continuation.resume(with: Result { try artifacts.write(bytes, as: name) })
            }
        }
    }

    @Test(arguments: ["", "/a", "a/", "../a", "a/../b", "a?b", "a\nb", "a//b"]) func wrongNames(name: String)
        async throws
    {
        let artifacts = try await artifacts()
        #expect(throws: QuernError.self) { try artifacts.path(of: name) }
        await #expect(throws: QuernError.self) { _ = try await artifacts.begin(name, size: 1) }
    }

    @Test func sizes() async throws {
        let artifacts = try await artifacts()
        #expect(artifacts.largestFile == 10_000 * 64 * mebibyte)
        #expect(try await artifacts.begin("m", size: 160_001 * mebibyte).partBytes == 17 << 20)
        #expect(try await artifacts.begin("m", size: artifacts.largestFile).partBytes == 64 << 20)
        let error = await #expect(throws: QuernError.self) {
            _ = try await artifacts.begin("m", size: artifacts.largestFile + 1)
        }
        #expect(error?.code == .unsupported)
    }

    @Test func thePlaceIsChecked() async throws {
        try await artifacts().checkWritable()
        let wrong: [(String, [String: String], QuernError.Code)] = [
            (S3Server.missingBucket, [:], .notFound), (S3Server.closedBucket, [:], .unauthorized),
            (S3Server.bucket, ["AWS_SECRET_ACCESS_KEY": "wrong"], .unauthorized),
        ]
        for (bucket, change, code) in wrong {
            let artifacts = try await artifacts(bucket, change)
            let error = await #expect(throws: QuernError.self) { try await artifacts.checkWritable() }
            #expect(error?.code == code)
        }
    }
}
