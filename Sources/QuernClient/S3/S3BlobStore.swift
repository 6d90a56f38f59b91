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

    /// - Parameters:
    ///   - url: `s3://BUCKET/PREFIX`; `?region=`, `endpoint=`, `style=` (`path` or `virtual`) and `profile=` after it
    ///     come before what the environment says.
    ///   - environment: for `AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3`, `AWS_PROFILE` and their like.
    /// - Throws: `.usage` where the URL is wrong or the region is not known, `.unauthorized` without credentials.
    public init(url: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let parsed = try S3URL(url)
        let settings = AWSSettings(environment: environment, profile: parsed.profile)
        client = S3Client(
            location: try parsed.location(settings),
            credentials: try settings.credentials(asked: parsed.profile != nil))
    }

    package init(client: S3Client) { self.client = client }

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

    /// Whether the object is there, in its full length and with the right checksum as far as S3 tells one: it does not
    /// where another program stored the object.
    private func holds(_ digest: Digest, bytes: Int) async throws -> Bool {
        let response = try await client.response(
            "HEAD", Self.key(of: digest), headers: [("x-amz-checksum-mode", "ENABLED")])
        guard response.status != 404, response.headers["content-length"] == String(bytes) else { return false }
        return response.headers["x-amz-checksum-sha256"].map { $0 == Self.checksum(digest) } ?? true
    }

    /// Takes a damaged object away, unless another has come in its place meanwhile.
    private func remove(_ digest: Digest, tag: String?) async -> QuernError {
        let place = "\(client.location.description)\(Self.key(of: digest))"
        let message = "the stored bytes of blob \(digest) are damaged"
        do {
            _ = try await client.response(
                "DELETE", Self.key(of: digest), headers: tag.map { [(name: "If-Match", value: $0)] } ?? [])
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
        if try await holds(digest, bytes: bytes.count) { return digest }
        let headers = [
            (name: "Content-Type", value: "application/octet-stream"),
            (name: "x-amz-sdk-checksum-algorithm", value: "SHA256"),
            (name: "x-amz-checksum-sha256", value: Self.checksum(digest)),
        ]
        _ = try await client.response(
            "PUT", Self.key(of: digest), headers: headers, body: (ByteBuffer(bytes: bytes), digest))
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
