import Foundation

/// What proves to S3 who asks.
package struct S3Credentials: Sendable, Hashable {
    package let accessKey: String
    package let secretKey: String
    /// Comes with credentials that are good for some hours only.
    package let sessionToken: String?
    /// When they are of no use any more; nil for those that last, or of which nobody said it.
    package let expires: Date?
    /// Where they were found, for people: never a secret.
    package let source: String

    package init(
        accessKey: String, secretKey: String, sessionToken: String? = nil, expires: Date? = nil, source: String
    ) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expires = expires
        self.source = source
    }
}
