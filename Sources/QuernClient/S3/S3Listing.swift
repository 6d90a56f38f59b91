import Foundation
import QuernFormats

/// A page of the answer to `ListObjectsV2`, as the Amazon S3 API reference describes it.
package struct S3Listing {
    package struct Object {
        package let key: String
        package let size: UInt64
        /// Without quotation marks.
        package let tag: String
        /// When it was stored; nil where the server does not say so.
        package let modified: Date?
    }

    package let objects: [Object]
    /// Names the next page; nil on the last.
    package let next: String?

    /// - Throws: `.invalidInput` for what is no such answer.
    package init(xml: String, at place: String) throws(QuernError) {
        guard xml.contains("<ListBucketResult") else {
            throw QuernError(
                .invalidInput, "the list of objects cannot be read", at: place,
                remedy: "Check that the endpoint speaks S3")
        }
        var objects: [Object] = []
        for part in xml.split(separator: "<Contents>").dropFirst() {
            let content = part.prefix(upTo: part.firstRange(of: "</Contents>")?.lowerBound ?? part.endIndex)
            guard let key = S3Refusal.element("Key", of: content).flatMap(Self.plain),
                let size = S3Refusal.element("Size", of: content).flatMap(UInt64.init), size < 1 << 62,
                let tag = S3Refusal.element("ETag", of: content).flatMap(Self.plain)
            else { throw QuernError(.invalidInput, "the list of objects is incomplete", at: place) }
            let modified = S3Refusal.element("LastModified", of: content).flatMap(Self.date)
            objects.append(
                Object(key: key, size: size, tag: tag.trimmingCharacters(in: ["\""]), modified: modified))
        }
        self.objects = objects
        let isCut = S3Refusal.element("IsTruncated", of: xml) == "true"
        next = isCut ? S3Refusal.element("NextContinuationToken", of: xml).flatMap(Self.plain) : nil
    }

    /// `2026-01-31T12:00:00.000Z`, with or without the fraction.
    static func date(_ text: String) -> Date? {
        let isFine = text.contains(".")
        return try? Date.ISO8601FormatStyle(includingFractionalSeconds: isFine).parse(text)
    }

    /// Without XML's names for characters; nil for one that is none.
    static func plain(_ text: String) -> String? {
        var result = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            guard let end = rest[start...].firstIndex(of: ";") else { return nil }
            let name = rest[rest.index(after: start)..<end]
            switch name {
            case "amp": result += "&"
            case "lt": result += "<"
            case "gt": result += ">"
            case "quot": result += "\""
            case "apos": result += "'"
            default:
                let code =
                    name.hasPrefix("#x")
                    ? UInt32(name.dropFirst(2), radix: 16)
                    : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
                guard let scalar = code.flatMap(Unicode.Scalar.init) else { return nil }
                result.unicodeScalars.append(scalar)
            }
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }
}
