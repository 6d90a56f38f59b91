import HTTPTypes
import QuernStore

/// What callers may ask of a coordinator at most, so that none of them keeps the others waiting. Two thousand busy
/// workers behind one address and with one token stay below.
public struct RequestLimits: Sendable {
    /// Open connections from one address.
    public var connectionsPerPeer = 8192
    /// Requests a second, on average, under one token, or from one address with tokens of leases or with none.
    public var requestsPerSecond = 20_000.0
    /// Requests that may come at once, after a silence.
    public var burst = 40_000.0
    /// Refused tokens a second from one address, on average and at once. Beyond that they are not even told that they
    /// are wrong. Requests with a valid token pass whatever else comes from their address.
    public var refusalsPerSecond = 1.0
    public var refusalBurst = 60.0
    /// Bytes of all header fields, and of any of them, and how many there may be.
    public var headerBytes = 32 << 10
    public var headerFields = 100
    /// Time until the first request of a connection is there.
    public var headTime = Duration.seconds(20)
    /// Time that a caller may keep a body waiting for: so much, and a second for each of so many bytes that came.
    public var bodyTime = Duration.seconds(30)
    public var bodyBytesPerSecond = 16 << 10

    public init() {}

    /// The most bytes of a request's body.
    static func bodyBytes(_ method: HTTPRequest.Method, path: String) -> Int {
        let parts = path.split(separator: "/")
        guard parts.first == "v1", parts.count > 1 else { return 64 << 10 }
        switch (method, parts[1], parts.last ?? "") {
        case (.put, "blobs", _): return maximumBlobBytes
        // A completion that lists the tensors of a large model has a few hundred kilobytes; so has a recipe that does.
        case (.post, "leases", "complete"): return 16 << 20
        case (.post, "jobs", _) where parts.count == 2: return 16 << 20
        case (.post, "cache", "lookup"): return 4 << 20
        case (.post, "leases", "fail"), (.post, "sessions", "heartbeat"): return 1 << 20
        default: return 64 << 10
        }
    }
}
