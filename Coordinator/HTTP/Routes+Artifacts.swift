import HTTPTypes
import Hummingbird
import NIOCore
import QuernFormats
import QuernJobs
import QuernStore

extension CoordinatorRoutes {
    func addArtifactRoutes(to job: RouterGroup<Context>) {
        job.get("artifacts") { _, context in
            try await jsonResponse(Wire.Artifacts(artifacts: try await coordinator.artifacts(of: try context.jobID())))
        }
        job.get("artifacts/**") { request, context in
            let name = context.parameters.getCatchAll().joined(separator: "/")
            guard let decoded = name.removingPercentEncoding else {
                throw QuernError(.usage, "the path cannot be read", at: name)
            }
            return try await send(decoded, of: try context.jobID(), request)
        }
        job.get("manifest") { request, context in
            try await send(Coordinator.manifestName, of: try context.jobID(), request)
        }
    }

    private func send(_ name: String, of id: JobID, _ request: Request) async throws -> Response {
        let (file, digest) = try await coordinator.openArtifact(name, of: id)
        let tag = "\"\(digest.hex)\""
        var headers: HTTPFields = [
            .eTag: tag, .acceptRanges: "bytes", .cacheControl: "no-cache",
            .contentType: name.hasSuffix(".json") ? "application/json" : "application/octet-stream",
            .contentTypeOptions: "nosniff",
        ]
        if let known = request.headers[.ifNoneMatch], Self.names(known, tag) {
            return Response(status: .notModified, headers: headers)
        }
        var asked = request.headers[.range]
        // A range of another version of the file is of no use to the client: it gets the whole.
        if let condition = request.headers[.ifRange], condition != tag { asked = nil }
        switch ByteRange(header: asked, size: file.size) {
        case .unsatisfiable:
            throw HTTPProblem(
                error: QuernError(
                    .usage, "the range lies beyond the file's \(file.size) bytes", at: name,
                    remedy: "Ask for a range within it"),
                status: 416, headers: [.contentRange: "bytes */\(file.size)"])
        case .whole:
            return Response(status: .ok, headers: headers, body: body(of: file, 0..<file.size))
        case .part(let range):
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
            return Response(status: .partialContent, headers: headers, body: body(of: file, range))
        }
    }

    private static func names(_ header: String, _ tag: String) -> Bool {
        header.split(separator: ",").contains { candidate in
            var text = candidate.trimmingCharacters(in: .whitespaces)
            if text.hasPrefix("W/") { text.removeFirst(2) }
            return text == tag || text == "*"
        }
    }

    /// In memory are the piece that is being sent and the one after it.
    private func body(of file: any ArtifactReader, _ range: Range<UInt64>) -> ResponseBody {
        ResponseBody(contentLength: Int(range.upperBound - range.lowerBound)) { [coordinator] writer in
            func piece(from start: UInt64) -> Range<UInt64> {
                start..<min(start + file.pieceBytes, range.upperBound)
            }
            var place = piece(from: range.lowerBound)
            var bytes = try await file.bytes(place)
            while !place.isEmpty {
                let next = piece(from: place.upperBound)
                async let following = next.isEmpty ? [] : file.bytes(next)
                try await writer.write(ByteBuffer(bytes: bytes))
                let count = bytes.count
                coordinator.count { $0.artifactBytesSent += count }
                (place, bytes) = (next, try await following)
            }
            try await writer.finish(nil)
        }
    }
}

extension HTTPField.Name {
    static let contentTypeOptions = Self("X-Content-Type-Options")!
}
