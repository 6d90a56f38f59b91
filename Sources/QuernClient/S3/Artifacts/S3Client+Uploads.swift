import Foundation
import QuernFormats

/// An upload that was begun and is not over.
struct S3UploadInProgress {
    /// With the location's prefix.
    let key: String
    let id: String
    let begun: Date?
}

extension S3Client {
    /// Pages of a thousand that are asked for at most.
    private static let mostUploadPages = 100

    /// - Parameters:
    ///   - prefix: of the keys, the location's own included.
    ///   - place: for messages.
    /// - Throws: as `response`; `.io` where the answer cannot be read.
    func uploads(under prefix: String, at place: String) async throws -> [S3UploadInProgress] {
        var uploads: [S3UploadInProgress] = []
        var marker: (key: String, id: String)?
        for _ in 0..<Self.mostUploadPages {
            var query = [(name: "uploads", value: "")]
            if !prefix.isEmpty { query.append((name: "prefix", value: prefix)) }
            if let marker {
                query += [
                    (name: "key-marker", value: marker.key), (name: "upload-id-marker", value: marker.id),
                ]
            }
            let response = try await response("GET", nil, query: query)
            let xml = String(decoding: response.body.readableBytesView, as: UTF8.self)
            guard xml.contains("<ListMultipartUploadsResult") else {
                throw QuernError(
                    .io, "the list of uploads cannot be read", at: place, remedy: "Check that the endpoint speaks S3")
            }
            func text(_ name: String, _ part: some StringProtocol) -> String? {
                S3Refusal.element(name, of: part).flatMap(S3Listing.plain)
            }
            for part in xml.split(separator: "<Upload>").dropFirst() {
                let content = part.prefix(upTo: part.firstRange(of: "</Upload>")?.lowerBound ?? part.endIndex)
                guard let key = text("Key", content), let id = text("UploadId", content) else { continue }
                uploads.append(
                    S3UploadInProgress(key: key, id: id, begun: text("Initiated", content).flatMap(S3Listing.date)))
            }
            guard S3Refusal.element("IsTruncated", of: xml) == "true", let key = text("NextKeyMarker", xml),
                let id = text("NextUploadIdMarker", xml)
            else { break }
            marker = (key, id)
        }
        return uploads
    }
}
