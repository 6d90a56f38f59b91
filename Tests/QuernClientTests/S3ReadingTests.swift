import Foundation
import NIOCore
import QuernClient
import QuernFormats
import QuernStore
import TestSupport
import Testing

/// Checkpoints in a bucket.
@Suite struct S3ReadingTests {
    private let prefix = "models/a b+c=&'\u{fc}/\(UUID().uuidString)"

    private func sources(_ change: [String: String] = [:]) async throws -> RemoteSources {
        RemoteSources(environment: try await S3Server.shared.environment.merging(change) { $1 }) { 1 << 20 }
    }

    private func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result(catching: work)) }
        }
    }

    @Test func foldersAndFiles() async throws {
        let large = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try await S3Objects.put(large, to: "\(prefix)/m/model.safetensors")
        try await S3Objects.put(Array("{}".utf8), to: "\(prefix)/m/config.json")
        try await S3Objects.put(Array("x".utf8), to: "\(prefix)/m/sub/x.txt")
        for index in 0..<5 { try await S3Objects.put([UInt8(index)], to: "\(prefix)/m/other \(index) & \"more\"") }
        let (sources, endpoint) = (try await sources(["AWS_ENDPOINT_URL_S3": ""]), try await S3Server.shared.endpoint)
        let url = "s3://\(S3Server.bucket)/\(prefix)/m?endpoint=\(endpoint)&region=us-east-1"
        try await blocking {
            let folder = try sources.folder(url)
            #expect(folder.name == "m")
            #expect(!folder.path.contains("?"))
            #expect(
                try folder.names()
                    == ["config.json", "model.safetensors"] + (0..<5).map { "other \($0) & \"more\"" })
            let file = try #require(try folder.open("model.safetensors"))
            #expect(try file.bytes(at: 0, count: large.count) == large)
            #expect(try file.bytes(at: 1_000_001, count: 99) == Array(large[1_000_001..<1_000_100]))
            let again = try sources.file(file.name, size: file.size, version: file.version ?? "")
            #expect(try again.bytes(at: 5, count: 2) == Array(large[5..<7]))
            let single = try sources.file("s3://\(S3Server.bucket)/\(prefix)/m/model.safetensors?endpoint=\(endpoint)")
            #expect(single.size == file.size && single.version == file.version)
            #expect(try folder.open("other 3 & \"more\"")?.bytes(at: 0, count: 1) == [3])
            #expect(try folder.open("none") == nil)
            #expect(throws: QuernError.self) { try folder.open("sub/x.txt") }
        }
    }

    /// Neither bytes of the new version nor a mixture of both.
    @Test(arguments: [1000, 999]) func anObjectThatChanges(size: Int) async throws {
        let key = "\(prefix)/model.gguf"
        try await S3Objects.put(Array(repeating: 1, count: 1000), to: key)
        let sources = try await sources()
        let file = try await blocking { try sources.file("s3://\(S3Server.bucket)/\(key)") }
        try await S3Objects.put(Array(repeating: 2, count: size), to: key)
        let error = await #expect(throws: QuernError.self) {
            try await blocking { _ = try file.bytes(at: 0, count: 10) }
        }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains("has changed since the job was planned") == true)
    }

    /// More than a page of the list holds.
    @Test func manyObjects() async throws {
        for index in 0...1000 { try await S3Objects.put([1], to: "\(prefix)/n\(index)") }
        let (sources, url) = (try await sources(), "s3://\(S3Server.bucket)/\(prefix)")
        #expect(try await blocking { try sources.folder(url).names().count } == 1001)
    }

    @Test(arguments: [
        "", "<html/>", "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size><ETag>x</ETag></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>&nbsp;</Key><Size>1</Size><ETag>x</ETag></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>&#xD800;</Key><Size>1</Size><ETag>x</ETag></Contents></ListBucketResult>",
    ])
    func listsThatAreNone(xml: String) {
        let error = #expect(throws: QuernError.self) { try S3Listing(xml: xml, at: "here") }
        #expect(error?.code == .invalidInput && error?.location == "here")
    }

    @Test func namesInLists() throws {
        let xml = """
            <?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>
            <Contents><Key>m/a&amp;amp;&lt;b&#252;&#x1F600;</Key><Size>12</Size><ETag>&quot;e-1&quot;</ETag></Contents>
            <CommonPrefixes><Prefix>m/sub/</Prefix></CommonPrefixes></ListBucketResult>
            """
        let listing = try S3Listing(xml: xml, at: "")
        #expect(listing.next == "a&b=")
        #expect(listing.objects.map(\.key) == ["m/a&amp;<b\u{fc}\u{1F600}"])
        #expect(listing.objects.map(\.size) == [12] && listing.objects.map(\.tag) == ["e-1"])
    }

    private static let errors: [(url: String, change: [String: String], code: QuernError.Code, words: [String])] = [
        ("s3://\(S3Server.bucket)/none", [:], .notFound, ["no objects under this prefix"]),
        ("s3://\(S3Server.bucket)/none.gguf", [:], .notFound, ["no such object"]),
        ("s3://\(S3Server.missingBucket)/m", [:], .notFound, ["no bucket"]),
        ("s3://\(S3Server.closedBucket)/m", [:], .unauthorized, ["do not allow it", "Allow s3:GetObject there, and"]),
        ("s3://\(S3Server.bucket)/m", ["AWS_SECRET_ACCESS_KEY": "wrong"], .unauthorized, ["AWS_ACCESS_KEY_ID"]),
        (
            "s3://\(S3Server.bucket)/m", ["AWS_ACCESS_KEY_ID": "", "HOME": "/none"], .unauthorized,
            ["there are no credentials"]
        ),
        ("s3://\(S3Server.bucket)/m?profile=none", ["HOME": "/none"], .unauthorized, ["profile 'none'"]),
        ("s3://My_Bucket/m", [:], .usage, ["cannot be the name of a bucket"]),
    ]

    @Test(arguments: errors)
    func saysWhatIsWrong(url: String, change: [String: String], code: QuernError.Code, words: [String]) async throws {
        let sources = try await sources(change)
        let error = await #expect(throws: QuernError.self) {
            try await blocking {
                _ = try sources.isFolder(url) ? sources.folder(url).names() : [sources.file(url).name]
            }
        }
        #expect(error?.code == code)
        let text = try #require(error).description
        for word in words { #expect(text.contains(word), "\(text)") }
    }
}
