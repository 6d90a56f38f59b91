import Foundation
import NIOCore
import QuernFormats
import QuernStore

/// Checkpoints in S3: objects under a prefix, or a single one.
struct S3Files: Sendable {
    let environment: [String: String]
    let cache: PieceCache

    /// A URL, taken apart.
    struct Place {
        let url: S3URL
        let client: S3Client
        /// Without a slash at the end; empty for the whole bucket.
        let path: String
        /// What the URL says beside bucket and path, the question mark included.
        let query: Substring

        /// Of a file in it.
        func text(_ key: String) -> String { "s3://\(url.bucket)/\(key)\(query)" }
        var description: String { "s3://\(url.bucket)\(path.isEmpty ? "" : "/\(path)")" }
    }

    /// - Throws: `.usage` for what is no such URL, `.unauthorized` where nothing names credentials.
    func place(_ text: String) throws -> Place {
        let url = try S3URL(text)
        let settings = AWSSettings(environment: environment, profile: url.profile)
        let client = S3Client(
            location: try url.location(settings, prefix: ""),
            credentials: .of(try settings.credentialSource()), isReading: true)
        return Place(
            url: url, client: client, path: String(url.prefix.dropLast()),
            query: text.firstIndex(of: "?").map { text[$0...] } ?? "")
    }

    /// The last part of the path, or the bucket.
    static func name(_ text: String) -> String {
        let path = text.dropFirst("s3://".count).prefix { $0 != "?" }
        return path.split(separator: "/").last.map(String.init) ?? String(path)
    }

    func host(_ text: String) throws -> RemoteHost {
        let url = try S3URL(text)
        let location = try url.location(AWSSettings(environment: environment, profile: url.profile))
        return RemoteHost(
            names: [location.server, "\(location.bucket).\(location.server)"],
            choices: (url.endpoint == nil ? [] : ["endpoint"]) + (url.profile == nil ? [] : ["profile"]))
    }

    /// Blocking.
    func folder(_ text: String) throws -> S3Folder {
        let place = try place(text)
        let prefix = place.path.isEmpty ? "" : place.path + "/"
        let objects = try blocking {
            try await place.client.objects(under: prefix, isFolder: true, at: place.description)
        }
        let files = objects.filter { $0.key != prefix }
        guard !files.isEmpty else {
            throw QuernError(
                .notFound, "there are no objects under this prefix", at: place.description,
                remedy: "Check bucket and prefix")
        }
        let byName = files.map { (name: String($0.key.dropFirst(prefix.count)), object: $0) }
            .sorted { bytesPrecede($0.name, $1.name) }
        return S3Folder(place: place, objects: byName, files: self)
    }

    /// - Throws: `.notFound` where there is no such object.
    func file(_ text: String) throws -> RemoteFile {
        let place = try place(text)
        let response = try blocking { try await place.client.response("HEAD", place.path) }
        guard response.status < 300 else {
            throw QuernError(
                .notFound, "there is no such object", at: place.description, remedy: "Check bucket and key")
        }
        guard let size = response.headers["content-length"].flatMap(UInt64.init), size < 1 << 62,
            let tag = response.headers["etag"]
        else { throw QuernError(.io, "S3 does not tell its size and ETag", at: place.description) }
        return file(place, place.path, size: size, tag: tag.trimmingCharacters(in: ["\""]))
    }

    /// A file that was found before.
    func file(_ text: String, size: UInt64, tag: String) throws -> RemoteFile {
        let place = try place(text)
        return file(place, place.path, size: size, tag: tag)
    }

    /// - Parameter tag: without quotation marks.
    func file(_ place: Place, _ key: String, size: UInt64, tag: String) -> RemoteFile {
        let client = place.client
        let name = "s3://\(place.url.bucket)/\(key)"
        return RemoteFile(url: place.text(key), size: size, version: tag, cache: cache) { range in
            // Twice, for bytes may be lost on their way.
            for attempt in 1... {
                do {
                    return try await Self.bytes(range, of: key, client, size: size, tag: tag, at: name)
                } catch let error as QuernError where error.code == .unavailable && attempt < 3 {
                    continue
                }
            }
            throw QuernError(.internalFault, "no attempt was made", at: name)
        }
    }

    private static func bytes(
        _ range: Range<UInt64>, of key: String, _ client: S3Client, size: UInt64, tag: String, at name: String
    ) async throws -> ByteBuffer {
        let response: S3Response
        do {
            response = try await client.response(
                "GET", key,
                headers: [(name: "Range", value: RangeAnswer.header(range)), (name: "If-Match", value: "\"\(tag)\"")])
        } catch let error as QuernError where error.code == .conflict {
            throw RangeAnswer.changed("its ETag is no longer \(tag)", at: name)
        } catch let error as QuernError where error.code == .corrupted {
            throw RangeAnswer.noRanges(at: name)
        }
        guard response.status != 404 else {
            throw QuernError(.notFound, "there is no such object any more", at: name, remedy: "Put it back")
        }
        return try RangeAnswer.bytes(
            status: response.status, contentRange: response.headers["content-range"], body: response.body,
            range: range, size: size, at: name)
    }
}

/// Objects under a prefix, as they were when they were listed.
struct S3Folder: CheckpointFolder {
    private let place: S3Files.Place
    private let objects: [(name: String, object: S3Listing.Object)]
    private let files: S3Files

    var name: String { place.path.split(separator: "/").last.map(String.init) ?? place.url.bucket }
    var path: String { place.description }

    init(place: S3Files.Place, objects: [(name: String, object: S3Listing.Object)], files: S3Files) {
        self.place = place
        self.objects = objects
        self.files = files
    }

    func names() throws -> [String] { objects.map(\.name) }

    func open(_ fileName: String) throws -> (any CheckpointFile)? {
        try checkName(fileName)
        guard let object = objects.first(where: { $0.name == fileName })?.object else { return nil }
        return files.file(place, object.key, size: object.size, tag: object.tag)
    }
}
