import Foundation
import NIOCore
import QuernFormats
import QuernStore
import Synchronization

/// An upload in parts, as the Amazon S3 user guide describes it under "Uploading and copying objects using multipart
/// upload". Every part carries its sha256, and the end of the upload names those of all parts.
final class S3Upload: ArtifactUpload {
    let partBytes: Int
    private let client: S3Client
    /// Without the location's prefix.
    private let key: String
    private let id: String
    private let parts = Mutex<[Int: (tag: String, digest: Digest)]>([:])

    init(client: S3Client, key: String, id: String, partBytes: Int) {
        self.client = client
        self.key = key
        self.id = id
        self.partBytes = partBytes
    }

    private var place: String { "s3://\(client.location.bucket)/\(client.location.prefix)\(key)" }

    private var isOver: QuernError {
        QuernError(
            .io, "the upload was ended by somebody else, who has begun the file again", at: place,
            remedy: "Nothing is lost: it is finished by them, or begun once more")
    }

    func put(_ bytes: [UInt8], at index: Int) async throws -> Digest {
        let digest = try await clientThreads.run { Digest(of: bytes) }
        let response = try await client.response(
            "PUT", key, query: [(name: "partNumber", value: String(index + 1)), (name: "uploadId", value: id)],
            headers: [
                (name: "x-amz-sdk-checksum-algorithm", value: "SHA256"),
                (name: "x-amz-checksum-sha256", value: S3Artifacts.checksum(digest)),
            ], body: (ByteBuffer(bytes: bytes), digest))
        guard response.status != 404 else { throw isOver }
        guard let tag = response.headers["etag"] else {
            throw QuernError(.io, "S3 does not tell a part's ETag", at: place)
        }
        parts.withLock { $0[index] = (tag, digest) }
        return digest
    }

    func finish() async throws -> any ArtifactObject {
        let parts = parts.withLock { $0.sorted { $0.key < $1.key } }
        let list = parts.map { index, part in
            """
            <Part><PartNumber>\(index + 1)</PartNumber><ETag>\(Self.escaped(part.tag))</ETag>\
            <ChecksumSHA256>\(S3Artifacts.checksum(part.digest))</ChecksumSHA256></Part>
            """
        }
        let body = Array(
            """
            <CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\(list.joined())\
            </CompleteMultipartUpload>
            """.utf8)
        let response = try await client.response(
            "POST", key, query: [(name: "uploadId", value: id)],
            headers: [(name: "Content-Type", value: "application/xml")],
            body: (ByteBuffer(bytes: body), Digest(of: body)))
        let text = String(decoding: response.body.readableBytesView.prefix(1 << 16), as: UTF8.self)
        // It answers before it is done, and says in the body what came of it.
        if response.status < 300, !text.contains("<CompleteMultipartUploadResult") {
            throw QuernError(
                .unavailable, "S3 could not join the parts: \(S3Refusal.element("Code", of: text) ?? "no answer")",
                at: place, remedy: "Try again later")
        }
        // Where the first answer was lost, the upload is over and the object is there.
        do {
            return try await S3Object(client: client, key: key, place: place)
        } catch let error as QuernError where error.code == .notFound && response.status == 404 {
            throw isOver
        }
    }

    func abandon() async { try? await end() }

    /// Throws all parts away; one that is over already is none any more.
    func end() async throws {
        _ = try await client.response("DELETE", key, query: [(name: "uploadId", value: id)])
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
    }
}

/// An object with the ETag that it had when it was opened.
struct S3Object: ArtifactObject {
    let size: UInt64
    let pieceBytes: UInt64 = 8 << 20
    private let client: S3Client
    private let key: String
    private let tag: String
    private let place: String

    /// - Throws: `.notFound`.
    init(client: S3Client, key: String, place: String) async throws {
        let response = try await client.response("HEAD", key)
        guard response.status != 404 else { throw QuernError(.notFound, "there is no such object", at: place) }
        guard let size = response.headers["content-length"].flatMap(UInt64.init), let tag = response.headers["etag"]
        else { throw QuernError(.io, "S3 does not tell its size and ETag", at: place) }
        self.size = size
        self.tag = tag
        self.client = client
        self.key = key
        self.place = place
    }

    func bytes(_ range: Range<UInt64>) async throws -> [UInt8] {
        guard !range.isEmpty else { return [] }
        let response = try await client.response(
            "GET", key,
            headers: [(name: "Range", value: RangeAnswer.header(range)), (name: "If-Match", value: tag)])
        guard response.status != 404 else { throw QuernError(.notFound, "there is no such object any more", at: place) }
        let bytes = try RangeAnswer.bytes(
            status: response.status, contentRange: response.headers["content-range"], body: response.body,
            range: range, size: size, at: place)
        return Array(bytes.readableBytesView)
    }

    func remove() async throws {
        _ = try await client.response("DELETE", key, headers: [(name: "If-Match", value: tag)])
    }
}
