import Foundation
import QuernFormats
import Synchronization

/// Credentials that are in use. Those that expire are replaced long before, by one request however many ask for them;
/// while that fails, the old ones go on for as long as they are good.
package final class AWSCredentials: Sendable {
    package typealias Fetch = @Sendable () async throws -> S3Credentials

    private struct State {
        var known: S3Credentials?
        /// How long before they expire others are fetched, in seconds.
        var lead: TimeInterval = 0
        /// When it may be tried again while there are good ones.
        var next = Date.distantPast
        var renewal: Task<S3Credentials, any Error>?
        /// Whether there ever were any.
        var hadSome = false
    }

    /// Others are fetched this long before the end, in seconds, but not before two thirds of the time are over.
    private static let longestLead: TimeInterval = 15 * 60
    /// In the last seconds before the end new ones are waited for.
    private static let lastSeconds: TimeInterval = 20
    /// Between two requests while there are good ones, in seconds.
    private static let pause: TimeInterval = 10

    private let state: Mutex<State>
    /// Nil for those that nobody replaces.
    private let fetch: Fetch?
    private let clock: @Sendable () -> Date

    /// Such as stay as they are.
    package init(_ credentials: S3Credentials) {
        state = Mutex(State(known: credentials, hadSome: true))
        fetch = nil
        clock = { Date() }
    }

    /// - Parameters:
    ///   - clock: tells the time; tests may put another.
    ///   - fetch: asks for credentials.
    package init(clock: @escaping @Sendable () -> Date = { Date() }, fetch: @escaping Fetch) {
        state = Mutex(State())
        self.fetch = fetch
        self.clock = clock
    }

    private static let shared = Mutex<[AWSCredentialSource: AWSCredentials]>([:])

    /// The ones that the whole process uses of a source.
    package static func of(_ source: AWSCredentialSource) -> AWSCredentials {
        if case .fixed(let credentials) = source { return AWSCredentials(credentials) }
        return shared.withLock { shared in
            if let known = shared[source] { return known }
            let new = AWSCredentials { try await source.fetch() }
            shared[source] = new
            return new
        }
    }

    /// Credentials that are good now.
    /// - Throws: what asking for them threw, where there are none any more: `.unauthorized` or `.unavailable`.
    package func current() async throws -> S3Credentials {
        let (usable, renewal) = state.withLock { state -> (S3Credentials?, Task<S3Credentials, any Error>?) in
            guard let known = state.known, let expires = known.expires else {
                return (state.known, state.known == nil ? renew(&state) : nil)
            }
            let now = clock()
            let left = expires.timeIntervalSince(now)
            if left > state.lead || left > 0 && now < state.next { return (known, nil) }
            let renewal = renew(&state)
            return (left > Self.lastSeconds ? known : nil, renewal)
        }
        if let usable { return usable }
        guard let renewal else { throw QuernError(.internalFault, "credentials without a source") }
        do {
            return try await renewal.value
        } catch {
            let last = state.withLock { $0.known }
            if let last, let expires = last.expires, expires > clock() { return last }
            throw error
        }
    }

    /// Forgets credentials that were refused as expired, although they did not seem so.
    /// - Returns: whether others may be had.
    package func replace(_ refused: S3Credentials) -> Bool {
        guard fetch != nil else { return false }
        state.withLock { if $0.known == refused { $0.known = nil } }
        return true
    }

    /// The request that is under way, or a new one.
    private func renew(_ state: inout State) -> Task<S3Credentials, any Error>? {
        if let renewal = state.renewal { return renewal }
        guard let fetch else { return nil }
        // A task of its own: whoever asked first may be cancelled, and the others wait for it, too.
        let task = Task { [clock] in
            let outcome: Result<S3Credentials, any Error>
            do {
                let fetched = try await fetch()
                if let expires = fetched.expires, expires <= clock() {
                    throw QuernError(
                        .unavailable, "the credentials from \(fetched.source) had expired when they came",
                        remedy: "Check the clock of this machine")
                }
                outcome = .success(fetched)
            } catch {
                outcome = .failure(error)
            }
            return try settle(outcome)
        }
        state.renewal = task
        return task
    }

    private func settle(_ outcome: Result<S3Credentials, any Error>) throws -> S3Credentials {
        try state.withLock { state in
            state.renewal = nil
            let now = clock()
            state.next = now.addingTimeInterval(Self.pause)
            guard case .success(let fetched) = outcome else {
                // Who had credentials of a service before waits until it answers again.
                if !state.hadSome, case .failure(let error as FirstFailure) = outcome { throw error.meaning }
                return try outcome.mapError { ($0 as? FirstFailure)?.reason ?? $0 }.get()
            }
            state.known = fetched
            state.hadSome = true
            state.lead = fetched.expires.map { min(Self.longestLead, $0.timeIntervalSince(now) / 3) } ?? 0
            return fetched
        }
    }
}

/// A failure that means something else as long as there never were any credentials.
struct FirstFailure: Error {
    let reason: QuernError
    let meaning: QuernError
}

extension AWSCredentialSource {
    /// Asks for credentials; once, without keeping them.
    func fetch() async throws -> S3Credentials {
        switch self {
        case .fixed(let credentials): return credentials
        case .webIdentity(let identity): return try await identity.credentials()
        case .role(let role): return try await role.credentials()
        case .container(let agent): return try await agent.credentials()
        case .instance(let metadata):
            do {
                return try await metadata.credentials()
            } catch let error as QuernError where error.code == .unavailable {
                throw FirstFailure(reason: error, meaning: metadata.none(error))
            }
        }
    }
}
