import Foundation
import QuernStore

/// A request to S3, in the form in which it is signed: nothing percent-encoded yet.
package struct S3Request: Sendable {
    /// What the signature says of the body.
    package enum Payload: Sendable {
        /// Its sha256: S3 refuses any other body.
        case sha256(Digest)
        /// Nothing. Only for presigned requests.
        case unsigned

        /// As the header `x-amz-content-sha256` has it.
        var text: String {
            switch self {
            case .sha256(let digest): digest.hex
            case .unsigned: "UNSIGNED-PAYLOAD"
            }
        }

        /// No body.
        package static var empty: Payload { .sha256(Digest(of: [UInt8]())) }
    }

    /// In capitals.
    package var method: String
    /// `https` or `http`.
    package var scheme: String
    /// With the port, unless it is the scheme's own.
    package var host: String
    /// Begins with a slash. A key's slashes stay slashes; everything else but unreserved characters is escaped, once.
    package var path: String
    package var query: [(name: String, value: String)]
    /// Without `Host` and without those that the signer adds. All are signed.
    package var headers: [(name: String, value: String)]
    package var payload: Payload

    package init(
        method: String, scheme: String = "https", host: String, path: String,
        query: [(name: String, value: String)] = [], headers: [(name: String, value: String)] = [],
        payload: Payload = .empty
    ) {
        self.method = method
        self.scheme = scheme
        self.host = host
        self.path = path
        self.query = query
        self.headers = headers
        self.payload = payload
    }

    /// The address, encoded exactly as it is signed.
    package var url: String {
        let query = canonicalQuery
        return "\(scheme)://\(host)\(canonicalPath)\(query.isEmpty ? "" : "?\(query)")"
    }

    var canonicalPath: String {
        path.split(separator: "/", omittingEmptySubsequences: false).map { pathSegment(String($0)) }
            .joined(separator: "/")
    }

    /// Sorted by encoded name, then by encoded value, in the order of bytes.
    var canonicalQuery: String {
        query.map { (pathSegment($0.name), pathSegment($0.value)) }
            .sorted { $0.0 == $1.0 ? bytesPrecede($0.1, $1.1) : bytesPrecede($0.0, $1.0) }
            .map { "\($0)=\($1)" }.joined(separator: "&")
    }
}

/// A point in time as signatures have it: `20130524T000000Z`, always in UTC.
package struct S3Time: Sendable, Equatable {
    package let text: String

    /// Year, month and day.
    var day: Substring { text.prefix(8) }

    /// - Parameter date: between the years 0 and 9999; parts of a second are dropped.
    package init(_ date: Date) {
        var seconds = time_t(date.timeIntervalSince1970.rounded(.down))
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: Int32, _ digits: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        text =
            padded(parts.tm_year + 1900, 4) + padded(parts.tm_mon + 1, 2) + padded(parts.tm_mday, 2) + "T"
            + padded(parts.tm_hour, 2) + padded(parts.tm_min, 2) + padded(parts.tm_sec, 2) + "Z"
    }
}

func bytesPrecede(_ first: String, _ second: String) -> Bool {
    first.utf8.lexicographicallyPrecedes(second.utf8)
}
