import QuernFormats
import QuernJobs
import QuernStore

/// A coordinator reached over HTTP: the same two services that it offers in its own process.
///
/// Every call may throw `QuernError` `.unavailable`, which names the address; all other errors are the coordinator's
/// own, with code, location and remedy as it threw them.
public struct CoordinatorClient: JobService, WorkerService {
    let transport: HTTPTransport

    /// The address as it was given, without a slash at the end.
    public var url: String { transport.base }

    /// - Parameters:
    ///   - url: `http://HOST:PORT` or `https://HOST:PORT`, perhaps with a path prefix.
    ///   - token: what the coordinator is shown; nil where it asks for none.
    ///   - authorities: PEM file of the certificates that are trusted to vouch for the coordinator's, and no others;
    ///     nil for the system's.
    /// - Throws: `QuernError` `.usage` where that is no address, or no file of certificates.
    public init(url: String, token: String? = nil, authorities: String? = nil) throws {
        transport = try HTTPTransport(url: url, token: token, authorities: authorities)
    }

    // MARK: JobService

    public func submit(_ submission: Submission) async throws -> JobRecord {
        // Planning reads the headers of every file of the source, perhaps over a network file system.
        try await transport.call(.post, "/v1/jobs", sending: submission, timeout: .seconds(300))
    }

    public func job(_ id: JobID) async throws -> JobRecord {
        try await transport.call(.get, path(of: id))
    }

    public func jobs(limit: Int) async throws -> [JobRecord] {
        try await transport.call(.get, "/v1/jobs?limit=\(limit)", as: Wire.Jobs.self).jobs
    }

    public func items(of id: JobID) async throws -> [ItemRecord] {
        try await transport.call(.get, "\(path(of: id))/items", as: Wire.Items.self).items
    }

    public func events(of id: JobID, after sequence: Int64) async throws -> [JobEvent] {
        try await transport.call(
            .get, "\(path(of: id))/events?after=\(sequence)", headers: [("Accept", "application/json")],
            as: Wire.Events.self
        ).events
    }

    public func control(_ id: JobID, _ action: JobAction) async throws -> JobRecord {
        try await transport.call(.post, "\(path(of: id))/\(action.rawValue)")
    }

    /// The files of a job's output, with digests for those that are written.
    public func artifacts(of id: JobID) async throws -> [OutputFile] {
        try await transport.call(.get, "\(path(of: id))/artifacts", as: Wire.Artifacts.self).artifacts
    }

    /// The bytes of a job's `manifest.json`.
    /// - Throws: `.notFound` while the job is not done.
    public func manifest(of id: JobID) async throws -> [UInt8] {
        let buffer = try await transport.body(.get, "\(path(of: id))/manifest")
        return Array(buffer.readableBytesView)
    }

    func path(of id: JobID) -> String { "/v1/jobs/\(pathSegment(id.rawValue))" }

    // MARK: WorkerService

    public func openSession(_ request: SessionRequest) async throws -> SessionGrant {
        try await transport.call(.post, "/v1/sessions", sending: request)
    }

    public func heartbeat(_ session: SessionID, _ report: HeartbeatReport) async throws -> HeartbeatReply {
        // Shorter than the interval of heartbeats, so that one lost in the network does not use up the expiry.
        let leases = report.leases.map {
            HeartbeatReport.Progress(lease: $0.lease.showing(nil), fraction: $0.fraction)
        }
        return try await transport.call(
            .post, "/v1/sessions/\(pathSegment(session.rawValue))/heartbeat", sending: HeartbeatReport(leases: leases),
            timeout: .seconds(8))
    }

    public func closeSession(_ session: SessionID) async throws {
        try await transport.call(.delete, "/v1/sessions/\(pathSegment(session.rawValue))")
    }

    public func claim(_ session: SessionID, limit: Int, wait: Duration) async throws -> [Claim] {
        let request = Wire.ClaimRequest(
            session: session, limit: limit, waitSeconds: max(0, Double(wait.nanoseconds) / 1e9))
        return try await transport.call(
            .post, "/v1/claims", sending: request, timeout: max(.zero, wait) + .seconds(30), as: Wire.Claims.self
        ).claims
    }

    public func complete(_ lease: Lease, _ completion: Completion) async throws {
        try await transport(for: lease).call(
            .post, "\(path(of: lease))/complete",
            sending: Wire.Complete(lease: lease.showing(nil), completion: completion))
    }

    public func fail(_ lease: Lease, _ failure: WorkFailure) async throws {
        try await transport(for: lease).call(
            .post, "\(path(of: lease))/fail", sending: Wire.Fail(lease: lease.showing(nil), failure: failure))
    }

    public func release(_ lease: Lease) async throws {
        try await transport(for: lease).call(
            .post, "\(path(of: lease))/release", sending: Wire.Release(lease: lease.showing(nil)))
    }

    public func lookUp(_ keys: [Digest]) async throws -> [Digest: Part] {
        try await Self.lookUp(keys, through: transport)
    }

    static func lookUp(_ keys: [Digest], through transport: HTTPTransport) async throws -> [Digest: Part] {
        guard !keys.isEmpty else { return [:] }
        let reply: Wire.Parts = try await transport.call(.post, "/v1/cache/lookup", sending: Wire.LookUp(keys: keys))
        var parts: [Digest: Part] = [:]
        for (hex, part) in reply.parts {
            guard let key = Digest(hex: hex) else {
                throw QuernError(
                    .invalidInput, "the coordinator's answer names no sha256: '\(hex)'", at: transport.base)
            }
            parts[key] = part
        }
        return parts
    }

    private func path(of lease: Lease) -> String { "/v1/leases/\(pathSegment(lease.id))" }
}
