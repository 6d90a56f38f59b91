import Foundation
import NIOCore
import QuernFormats
import QuernStore

/// Blobs in a bucket of S3, or of a server that speaks its language.
///
/// A blob is the object `sha256/ab/cd/<hex>` below the location's prefix, as it is: its name is then its S3 checksum
/// too, so that S3 itself refuses a blob under a wrong name. S3 acknowledges an object only when it is safe, and shows
/// it whole or not at all. An object found damaged is deleted, so that storing it again heals it.
public struct S3BlobStore: Sendable {
    package let client: S3Client
    /// The bucket as others reach it.
    let direct: S3Location

    /// - Parameters:
    ///   - url: `s3://BUCKET/PREFIX`; `?region=`, `endpoint=`, `style=` (`path` or `virtual`) and `profile=` after it
    ///     come before what the environment says.
    ///   - directEndpoint: a URL at which others reach the server, where that is not the one used here.
    ///   - environment: for `AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_PROFILE` and their like.
    /// - Throws: `.usage` where the URL is wrong or the region is not known, `.unauthorized` where nothing names
    ///   credentials.
    public init(
        url: String, directEndpoint: String? = nil,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        let parsed = try S3URL(url)
        let settings = AWSSettings(environment: environment, profile: parsed.profile)
        client = S3Client(
            location: try parsed.location(settings),
            credentials: .of(try settings.credentialSource()))
        direct = try parsed.location(settings, endpoint: directEndpoint)
    }

    package init(client: S3Client) {
        self.client = client
        direct = client.location
    }

    /// Whether the text is meant to be a place in S3, right or wrong.
    public static func isPlace(_ text: String) -> Bool { S3URL.isMeant(by: text) }

    /// Finds out early what would make every call fail.
    /// - Throws: `.notFound` where there is no such bucket, `.unauthorized`, `.usage` for the wrong region,
    ///   `.unavailable`.
    public func checkBucket() async throws {
        _ = try await client.response("HEAD", nil)
    }

    /// The object's key below the prefix.
    package static func key(of digest: Digest) -> String {
        let hex = digest.hex
        return "sha256/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)"
    }

    /// As `x-amz-checksum-sha256` has it.
    private static func checksum(_ digest: Digest) -> String { Data(digest.bytes).base64EncodedString() }

    static func headers(of digest: Digest) -> [(name: String, value: String)] {
        [
            (name: "Content-Type", value: "application/octet-stream"),
            (name: "x-amz-sdk-checksum-algorithm", value: "SHA256"),
            (name: "x-amz-checksum-sha256", value: checksum(digest)),
        ]
    }

    /// What lies where a blob should.
    enum Found {
        case nothing
        /// The blob, as S3 says itself.
        case blob
        /// Something of its length. S3 tells no checksum where another program has stored the object without one, and
        /// some servers never do.
        case unproven
        /// Something else, with its tag.
        case other(String?)
    }

    func find(_ digest: Digest, bytes: Int) async throws -> Found {
        let response = try await client.response(
            "HEAD", Self.key(of: digest), headers: [("x-amz-checksum-mode", "ENABLED")])
        guard response.status != 404 else { return .nothing }
        let tag = response.headers["etag"]
        guard response.headers["content-length"] == String(bytes) else { return .other(tag) }
        guard let checksum = response.headers["x-amz-checksum-sha256"] else { return .unproven }
        return checksum == Self.checksum(digest) ? .blob : .other(tag)
    }

    /// Takes an object away, unless another has come in its place meanwhile.
    func discard(_ digest: Digest, tag: String?) async throws {
        _ = try await client.response(
            "DELETE", Self.key(of: digest), headers: tag.map { [(name: "If-Match", value: $0)] } ?? [])
    }

    /// Takes a damaged object away.
    private func remove(_ digest: Digest, tag: String?) async -> QuernError {
        let place = "\(client.location.description)\(Self.key(of: digest))"
        let message = "the stored bytes of blob \(digest) are damaged"
        do {
            try await discard(digest, tag: tag)
            return QuernError(.corrupted, message, at: place, remedy: "They were deleted and will be made again")
        } catch {
            return QuernError(.corrupted, message, at: place, remedy: "Delete the object: \(error)")
        }
    }
}

extension S3BlobStore: BlobStore {
    public func contains(_ digest: Digest) async throws -> Bool {
        try await client.response("HEAD", Self.key(of: digest)).status != 404
    }

    @discardableResult
    public func put(_ bytes: [UInt8]) async throws -> Digest {
        guard bytes.count <= maximumBlobBytes else {
            throw QuernError(
                .invalidInput, "\(bytes.count) bytes are more than a blob may hold (\(maximumBlobBytes))")
        }
        let digest = try await clientThreads.run { Digest(of: bytes) }
        switch try await find(digest, bytes: bytes.count) {
        case .blob, .unproven: return digest
        case .nothing, .other: break
        }
        _ = try await client.response(
            "PUT", Self.key(of: digest), headers: Self.headers(of: digest), body: (ByteBuffer(bytes: bytes), digest))
        return digest
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        var tag: String?
        // Twice, for the bytes may have been damaged on their way.
        for _ in 0..<2 {
            let response: S3Response
            do {
                response = try await client.response("GET", Self.key(of: digest))
            } catch let error as QuernError where error.code == .corrupted {
                throw await remove(digest, tag: nil)
            }
            guard response.status != 404 else {
                throw QuernError(.notFound, "there is no blob \(digest)", at: client.location.description)
            }
            let bytes = Array(response.body.readableBytesView)
            if try await clientThreads.run({ Digest(of: bytes) }) == digest { return bytes }
            tag = response.headers["etag"]
        }
        throw await remove(digest, tag: tag)
    }
}
