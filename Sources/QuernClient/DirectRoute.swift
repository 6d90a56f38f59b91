import Logging
import NIOCore
import QuernFormats
import Synchronization

/// The way from a worker to where a coordinator's blobs lie, past the coordinator. Where it cannot be taken it is closed
/// for a while, which is logged once; then one request finds out whether it can.
final class DirectRoute: Sendable {
    /// What became of a request.
    enum Outcome {
        /// It was answered as it should be.
        case done(ByteBuffer)
        /// The address is not good, any more or at all: the coordinator may give a better one.
        case refused(String)
        /// There is nothing at the address.
        case missing(String)
        /// The coordinator had better do it.
        case failed
    }

    private struct Closure {
        var until: ContinuousClock.Instant?
        var isLogged = false
    }

    /// What blobs are on it, for people: fetched, stored.
    private let purpose: String
    private let logger: Logger
    private let rest: Duration
    private let closure = Mutex(Closure())

    /// - Parameter rest: for how long it is closed.
    init(_ purpose: String, logger: Logger, rest: Duration) {
        self.purpose = purpose
        self.logger = logger
        self.rest = rest
    }

    /// Whether the way may be taken now. After a rest that holds for one who asks; others wait for what that finds.
    func mayBeTaken() -> Bool {
        closure.withLock { closure in
            guard let until = closure.until else { return true }
            let now = ContinuousClock.now
            guard now >= until else { return false }
            closure.until = now + rest
            return true
        }
    }

    func close(because reason: String) {
        let isNews = closure.withLock { closure in
            closure.until = .now + rest
            defer { closure.isLogged = true }
            return !closure.isLogged
        }
        guard isNews else { return }
        logger.warning("blobs are \(purpose) through the coordinator from now on: \(reason)")
    }

    private func open() {
        let isNews = closure.withLock { closure in
            closure.until = nil
            defer { closure.isLogged = false }
            return closure.isLogged
        }
        if isNews { logger.notice("blobs are \(purpose) directly again") }
    }

    /// Sends a request that the coordinator has signed; nothing else is known there, and no token is shown.
    /// - Throws: `.cancelled`.
    func send(
        _ method: String, _ url: String, headers: [String: String] = [:], body: ByteBuffer? = nil
    ) async throws -> Outcome {
        guard let server = WebOrigin(url), !server.isLinkLocal else {
            close(because: "it names an address that is not to be trusted")
            return .failed
        }
        let response: S3Response
        do {
            response = try await patience.spend(at: server.name) {
                try await S3Client.send(
                    method, url, headers: headers.map { ($0.key, $0.value) }, body: body,
                    to: "\(server.scheme)://\(server.name)")
            }
        } catch let error as QuernError where error.code != .cancelled {
            // Anything else is wrong with the object.
            if error.code == .unavailable { close(because: error.description) }
            return .failed
        }
        switch response.status {
        case ..<300:
            open()
            return .done(response.body)
        // It is there, or is just being stored: who confirms it finds out.
        case 409, 412: return .done(ByteBuffer())
        case 408, 429, 500, 502...504: return .failed
        default: break
        }
        let text = String(decoding: response.body.readableBytesView.prefix(1 << 16), as: UTF8.self)
        let code = S3Refusal.element("Code", of: text).map { ", \($0)" } ?? ""
        let answer = "\(server.name) answered \(method) with HTTP status \(response.status)\(code)"
        return response.status == 404 ? .missing(answer) : .refused(answer)
    }

    /// A connection that broke off says nothing yet.
    private var patience: Patience {
        var patience = Patience()
        patience.attempts = 2
        return patience
    }
}
