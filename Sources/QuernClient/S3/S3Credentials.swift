/// What proves to S3 who asks.
package struct S3Credentials: Sendable, Equatable {
    package let accessKey: String
    package let secretKey: String
    /// Comes with credentials that are good for some hours only.
    package let sessionToken: String?
    /// Where they were found, for people: never a secret.
    package let source: String

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil, source: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.source = source
    }
}
