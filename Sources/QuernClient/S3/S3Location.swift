import Foundation
import QuernFormats

/// A bucket, or a part of one, and how it is reached.
package struct S3Location: Sendable, Equatable {
    /// How addresses name the bucket.
    package enum Style: String, Sendable, CaseIterable {
        /// First in the path: any server understands it.
        case path
        /// In the host's name, as Amazon wants it.
        case virtual
    }

    package let bucket: String
    /// What all keys begin with: empty, or ending with a slash.
    package let prefix: String
    package let region: String
    /// `https` or `http`.
    package let scheme: String
    /// Of the server, with the port unless it is the scheme's own; without the bucket.
    package let server: String
    package let style: Style

    /// The host that requests go to.
    package var host: String { style == .virtual ? "\(bucket).\(server)" : server }

    /// A key's path on that host, not encoded. With an empty key: the bucket's.
    /// - Parameter key: without the prefix; nil for the bucket itself.
    func path(of key: String?) -> String {
        let inBucket = key.map { "/\(prefix)\($0)" } ?? ""
        return style == .virtual ? (inBucket.isEmpty ? "/" : inBucket) : "/\(bucket)\(inBucket)"
    }

    /// ASCII letters and digits.
    static func isLetter(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    /// For people.
    package var description: String { "s3://\(bucket)/\(prefix)" }

    /// - Throws: `.usage` where the endpoint or the region is none.
    init(
        bucket: String, prefix: String, region: String, endpoint: String?, style: Style?
    ) throws(QuernError) {
        self.bucket = bucket
        self.prefix = prefix
        self.region = region
        // It becomes a part of the host's name.
        guard !region.isEmpty, region.utf8.allSatisfy({ Self.isLetter($0) || $0 == UInt8(ascii: "-") }) else {
            throw QuernError(.usage, "'\(region)' is no region", at: "s3://\(bucket)")
        }
        guard let endpoint else {
            scheme = "https"
            server = "s3.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")"
            // A certificate for all buckets does not cover names with dots.
            self.style = style ?? (bucket.contains(".") ? .path : .virtual)
            return
        }
        guard let parts = URLComponents(string: endpoint), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.percentEncodedHost, !host.isEmpty,
            ["", "/"].contains(parts.percentEncodedPath), parts.query == nil, parts.fragment == nil, parts.user == nil
        else {
            throw QuernError(
                .usage, "'\(endpoint)' is no endpoint of S3", at: "s3://\(bucket)",
                remedy: "Give it as http://HOST:PORT or https://HOST")
        }
        self.scheme = scheme
        let isUsual = parts.port == nil || parts.port == (scheme == "https" ? 443 : 80)
        server = host + (isUsual ? "" : ":\(parts.port ?? 0)")
        // Servers in one's own house rarely have a name for every bucket.
        self.style = style ?? .path
    }
}

/// `s3://BUCKET[/PREFIX][?region=…&endpoint=…&style=…&profile=…]`, as it is given to options.
package struct S3URL: Sendable, Equatable {
    package let bucket: String
    /// Empty, or ending with a slash.
    package let prefix: String
    package private(set) var region: String?
    package private(set) var endpoint: String?
    package private(set) var style: S3Location.Style?
    package private(set) var profile: String?

    /// Whether the text is meant to be one.
    package static func isMeant(by text: String) -> Bool { text.lowercased().hasPrefix("s3://") }

    /// - Throws: `.usage` with what is wrong.
    package init(_ text: String) throws(QuernError) {
        func wrong(_ message: String) -> QuernError {
            QuernError(.usage, message, at: text, remedy: "Give it as s3://BUCKET/PREFIX")
        }
        guard Self.isMeant(by: text) else { throw wrong("it does not begin with s3://") }
        let parts = text.dropFirst("s3://".count).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let names = (parts.first ?? "").split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        bucket = names.first ?? ""
        guard Self.isBucketName(bucket) else {
            throw wrong(
                bucket.isEmpty ? "it names no bucket" : "'\(bucket)' cannot be the name of a bucket")
        }
        var folders = Array(names.dropFirst())
        if folders.last == "" { folders.removeLast() }
        guard folders.allSatisfy({ !["", ".", ".."].contains($0) }) else {
            throw wrong("a prefix has no empty parts, and none called . or ..")
        }
        prefix = folders.map { $0 + "/" }.joined()
        guard prefix.utf8.count <= 900 else { throw wrong("the prefix is longer than the 900 bytes it may have") }
        guard parts.count == 2 else { return }
        for item in parts[1].split(separator: "&") {
            let pair = item.split(separator: "=", maxSplits: 1).map { $0.removingPercentEncoding ?? String($0) }
            guard pair.count == 2 else { throw wrong("'\(item)' says nothing") }
            switch pair[0] {
            case "region": region = pair[1]
            case "endpoint": endpoint = pair[1]
            case "profile": profile = pair[1]
            case "style":
                guard let style = S3Location.Style(rawValue: pair[1]) else {
                    throw wrong("'\(pair[1])' is no style; there are path and virtual")
                }
                self.style = style
            default: throw wrong("'\(pair[0])' is unknown; there are region, endpoint, style and profile")
            }
        }
    }

    /// The place, with what the URL does not say taken from the settings.
    /// - Parameters:
    ///   - prefix: in place of the URL's own.
    ///   - endpoint: in place of the URL's and the settings'.
    /// - Throws: `.usage` where the region is not known, or the endpoint is none.
    package func location(
        _ settings: AWSSettings, prefix: String? = nil, endpoint: String? = nil
    ) throws(QuernError) -> S3Location {
        let endpoint = endpoint ?? self.endpoint ?? settings.endpoint
        // Servers other than Amazon's mostly have this one, whatever they are.
        guard let region = region ?? settings.region ?? (endpoint == nil ? nil : "us-east-1") else {
            throw QuernError(
                .usage, "the region of the bucket is not known", at: "s3://\(bucket)",
                remedy: "Set AWS_REGION, or say s3://\(bucket)/\(self.prefix)?region=NAME")
        }
        return try S3Location(
            bucket: bucket, prefix: prefix ?? self.prefix, region: region, endpoint: endpoint, style: style)
    }

    /// By Amazon's rules for new buckets.
    private static func isBucketName(_ name: String) -> Bool {
        let ends: (UInt8) -> Bool = { (97...122).contains($0) || (48...57).contains($0) }
        guard (3...63).contains(name.utf8.count), let first = name.utf8.first, let last = name.utf8.last else {
            return false
        }
        return ends(first) && ends(last) && !name.contains("..")
            && name.utf8.allSatisfy { ends($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }
}
