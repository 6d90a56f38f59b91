import Foundation
import NIOCore
import QuernFormats
import QuernStore

/// Artifacts in a bucket of S3, or of a server that speaks its language: a file is the object of its name below the
/// location's prefix.
public struct S3Artifacts: Sendable {
    let client: S3Client
    /// Below the location's prefix: empty, or ending with a slash.
    let folder: String
    /// What the URL says beside bucket and prefix, the question mark included.
    private let query: String

    /// S3 takes ten thousand parts.
    private static let mostParts = 10_000
    private static let smallestPart = 16 << 20

    /// - Parameters: as of `S3BlobStore.init`.
    /// - Throws: as `S3BlobStore.init`.
    public init(url: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        let parsed = try S3URL(url)
        let settings = AWSSettings(environment: environment, profile: parsed.profile)
        client = S3Client(
            location: try parsed.location(settings), credentials: .of(try settings.credentialSource()))
        folder = ""
        query = url.firstIndex(of: "?").map { String(url[$0...]) } ?? ""
    }

    private init(client: S3Client, folder: String, query: String) {
        self.client = client
        self.folder = folder
        self.query = query
    }

    /// For tests, which send requests their own way.
    package init(client: S3Client) { self.init(client: client, folder: "", query: "") }

    /// - Throws: `.invalidInput` for a name that leaves the folder, or that no URL could hold.
    func key(of name: String) throws -> String {
        let components = name.split(separator: "/", omittingEmptySubsequences: false)
        let fits = components.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 200 }
        guard fits, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "?") }) else {
            throw QuernError(
                .invalidInput, "'\(name)' is no name of an object below the prefix", at: path,
                remedy: "Use a plain name without '..', '?' or a leading '/'")
        }
        return folder + name
    }

    /// As `x-amz-checksum-sha256` has it.
    static func checksum(_ digest: Digest) -> String { Data(digest.bytes).base64EncodedString() }

    static let contentType = (name: "Content-Type", value: "application/octet-stream")
}

extension S3Artifacts: ArtifactObjects {
    public var path: String { "s3://\(client.location.bucket)/\(client.location.prefix)\(folder)" }

    public func path(of name: String) throws -> String {
        "s3://\(client.location.bucket)/\(client.location.prefix)\(try key(of: name))\(query)"
    }

    public var largestFile: UInt64 { UInt64(Self.mostParts) * UInt64(maximumBlobBytes) }

    public func partBytes(_ size: UInt64) -> Int {
        let unit = 1 << 20
        let least = (Int(min(size, largestFile)) + Self.mostParts - 1) / Self.mostParts
        return max(Self.smallestPart, (least + unit - 1) / unit * unit)
    }

    public func below(_ folder: String) -> any ArtifactObjects {
        S3Artifacts(client: client, folder: "\(self.folder)\(folder)/", query: query)
    }

    public func checkWritable() async throws {
        _ = try await client.response("HEAD", nil)
        _ = try await client.uploads(under: client.location.prefix + folder, at: path)
        // An upload that is begun and thrown away takes the same rights as one that is finished.
        let name = ".quern-check"
        try await S3Upload(client: client, key: try key(of: name), id: try await begin(name), partBytes: 0).end()
    }

    public func write(_ bytes: [UInt8], as name: String) throws {
        let key = try key(of: name)
        try blocking {
            let digest = Digest(of: bytes)
            let headers = [
                Self.contentType, (name: "x-amz-sdk-checksum-algorithm", value: "SHA256"),
                (name: "x-amz-checksum-sha256", value: Self.checksum(digest)),
            ]
            _ = try await client.response("PUT", key, headers: headers, body: (ByteBuffer(bytes: bytes), digest))
            let stored = try await client.response("GET", key)
            guard stored.status != 404, Digest(of: Array(stored.body.readableBytesView)) == digest else {
                throw QuernError(.io, "it does not read back as it was written", at: try path(of: name))
            }
        }
    }

    public func begin(_ name: String, size: UInt64) async throws -> any ArtifactUpload {
        let key = try key(of: name)
        guard size > 0, size <= largestFile else {
            throw QuernError(
                .unsupported, "\(size) bytes are not between 1 and the \(largestFile) that an object may have",
                at: try path(of: name), remedy: "Split the artifact: --split-max-size 100GB")
        }
        try await throwAway(key)
        return S3Upload(
            client: client, key: key, id: try await begin(name), partBytes: partBytes(size))
    }

    /// - Returns: the upload's id.
    private func begin(_ name: String) async throws -> String {
        let response = try await client.response(
            "POST", try key(of: name), query: [(name: "uploads", value: "")],
            headers: [Self.contentType, (name: "x-amz-checksum-algorithm", value: "SHA256")])
        let text = String(decoding: response.body.readableBytesView, as: UTF8.self)
        guard response.status < 300, let id = S3Refusal.element("UploadId", of: text).flatMap(S3Listing.plain) else {
            throw QuernError(
                .io, "an upload was begun, and has no id", at: try path(of: name),
                remedy: "Check that the endpoint speaks S3")
        }
        return id
    }

    /// Ends uploads of this key, and those of any other that were begun more than a day ago: what dead processes left.
    private func throwAway(_ key: String) async throws {
        let prefix = client.location.prefix
        let whole = prefix + key
        let oldest = Date(timeIntervalSinceNow: -24 * 3600)
        for upload in try await client.uploads(under: prefix, at: path) {
            let isOld = upload.begun.map { $0 < oldest } ?? false
            guard upload.key == whole || isOld, upload.key.hasPrefix(prefix) else { continue }
            let rest = String(upload.key.dropFirst(prefix.count))
            await S3Upload(client: client, key: rest, id: upload.id, partBytes: 0).abandon()
        }
    }

    public func open(_ name: String) async throws -> any ArtifactObject {
        try await S3Object(client: client, key: try key(of: name), place: try path(of: name))
    }
}
