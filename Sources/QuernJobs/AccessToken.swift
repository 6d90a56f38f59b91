import QuernFormats
import QuernStore

/// What the holder of a token may do.
public enum AccessScope: String, Sendable, Codable, CaseIterable {
    /// See jobs, and fetch what they make.
    case read
    /// Submit jobs, and pause, retry or cancel them.
    case submit
    /// Be a worker: claim items, read and write blobs.
    case work
    /// Everything.
    case admin

    /// - Parameter list: names, separated by commas.
    /// - Throws: `QuernError` `.usage` for an unknown name, or none.
    public static func parse(_ list: String) throws -> Set<AccessScope> {
        let names = list.split(separator: ",").map(String.init)
        let scopes = try names.map { name in
            guard let scope = AccessScope(rawValue: name) else {
                throw QuernError(
                    .usage, "unknown scope '\(name)'",
                    remedy: "There are \(allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return scope
        }
        guard !scopes.isEmpty else { throw QuernError(.usage, "no scope is named") }
        return Set(scopes)
    }
}

/// A bearer token as the coordinator knows it: by its digest.
public struct AccessToken: Sendable, Equatable {
    public let name: String
    /// sha256 of the token. It has as many random bits as the digest, so that hashing it once is enough.
    public let digest: Digest
    public let scopes: Set<AccessScope>
    /// Milliseconds since 1970 by the database's clock.
    public let created: Int64
    /// From when on it is refused; nil for never.
    public let expires: Int64?
    /// Whether it is taken: neither revoked nor expired.
    public let isValid: Bool

    public init(
        name: String, digest: Digest, scopes: Set<AccessScope>, created: Int64, expires: Int64?, isValid: Bool
    ) {
        self.name = name
        self.digest = digest
        self.scopes = scopes
        self.created = created
        self.expires = expires
        self.isValid = isValid
    }
}

/// A token to be, whose secret is known once: to whoever makes it.
public struct NewAccessToken: Sendable {
    public let name: String
    public let scopes: Set<AccessScope>
    /// How long it is taken; nil for ever.
    public let lifetime: Duration?
    /// What its holder shows: `quern_` and 256 random bits in hexadecimal digits, so that scanners for leaked secrets can
    /// tell it.
    public let secret: String

    public var digest: Digest { Self.digest(of: secret) }

    /// - Throws: `QuernError` `.usage` for a name that is none, or a lifetime that is not above 0.
    public init(name: String, scopes: Set<AccessScope>, lifetime: Duration? = nil) throws {
        guard (1...100).contains(name.utf8.count), name.allSatisfy({ !$0.isWhitespace }) else {
            throw QuernError(.usage, "'\(name)' is no name for a token", remedy: "Take up to 100 characters, no spaces")
        }
        guard lifetime.map({ $0 > .zero }) ?? true else {
            throw QuernError(.usage, "a token must be taken for a while")
        }
        self.name = name
        self.scopes = scopes
        self.lifetime = lifetime
        var generator = SystemRandomNumberGenerator()
        let random: [UInt8] = (0..<32).map { _ in generator.next() }
        secret = "quern_" + random.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Under which a secret is kept.
    public static func digest(of secret: String) -> Digest { Digest(of: Array(secret.utf8)) }
}

/// Where tokens are kept. What was revoked stays, so that its name is not taken for another.
public protocol TokenStore: Sendable {
    /// - Throws: `.conflict` where there is, or was, a token of that name.
    func insertToken(_ token: NewAccessToken) async throws
    /// All that there are or were, by name.
    func tokens() async throws -> [AccessToken]
    /// - Throws: `.notFound` where there is none of that name.
    func revokeToken(named name: String) async throws
}
