import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOSSL
import QuernFormats
import QuernJobs

/// Requests to one coordinator, with every failure turned into a `QuernError`.
struct HTTPTransport: Sendable {
    /// Scheme, host, port and path prefix, without a slash at the end.
    let base: String
    /// Shown with every request; nil for none.
    private var token: String?

    private let client: HTTPClient
    /// PEM file of the authorities that are trusted; nil for the system's.
    private let authorities: String?

    /// - Throws: `QuernError` `.usage` where `url` is no `http` or `https` address, or `authorities` no file of
    ///   certificates.
    init(url: String, token: String?, authorities: String?) throws {
        guard let parsed = URLComponents(string: url), let scheme = parsed.scheme, ["http", "https"].contains(scheme),
            let host = parsed.host, !host.isEmpty, parsed.query == nil, parsed.fragment == nil
        else {
            throw QuernError(
                .usage, "not the address of a coordinator", at: url, remedy: "Give it as http://HOST:PORT")
        }
        var text = url
        while text.hasSuffix("/") { text.removeLast() }
        base = text
        self.token = token
        self.authorities = authorities
        client = try TrustedConnections.client(authorities: authorities)
    }

    /// The same with another token.
    func showing(_ token: String) -> HTTPTransport {
        var other = self
        other.token = token
        return other
    }

    /// Sends a request and returns its response once the head has come, whatever its status. One that came too soon
    /// (429) is sent again after the time that the coordinator names.
    /// - Parameters:
    ///   - path: from `/v1` on, percent-encoded.
    ///   - timeout: until the head of the response, from each time that the request is sent.
    /// - Throws: `QuernError` `.unavailable` where no response came, `.cancelled` where the task was cancelled.
    func response(
        _ method: HTTPMethodName, _ path: String, headers: [(String, String)] = [], body: ByteBuffer? = nil,
        timeout: Duration = .seconds(60)
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + path)
        request.method = .init(rawValue: method.rawValue)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        var waits = 0
        while true {
            let response: HTTPClientResponse
            do {
                response = try await client.execute(request, timeout: .nanoseconds(timeout.nanoseconds))
            } catch {
                if let refusal = await TLSRefusal(error, of: base, authorities: authorities)?.error { throw refusal }
                throw unreachable(error)
            }
            guard let pause = Self.pause(response), waits < Self.mostWaits else { return response }
            waits += 1
            do {
                _ = try await response.body.collect(upTo: 1 << 20)
                // Not all at the same moment, where many were told the same.
                try await Task.sleep(for: pause * Double.random(in: 1...1.5))
            } catch {
                throw unreachable(error)
            }
        }
    }

    /// How often a request is sent again that came too soon.
    private static let mostWaits = 10

    /// For how long the coordinator wants to be left alone; such a request was not looked at, whatever it was.
    /// - Returns: nil where it does not say so, or where nobody would wait for so long.
    private static func pause(_ response: HTTPClientResponse) -> Duration? {
        guard response.status == .tooManyRequests, let text = response.headers.first(name: "Retry-After"),
            let seconds = Int(text), (0...60).contains(seconds)
        else { return nil }
        return .seconds(seconds)
    }

    /// Sends a request and collects the whole body of a successful response.
    /// - Throws: the coordinator's own error where the status is 400 or above.
    func body(
        _ method: HTTPMethodName, _ path: String, headers: [(String, String)] = [], body: ByteBuffer? = nil,
        limit: Int = 256 << 20, timeout: Duration = .seconds(60)
    ) async throws -> ByteBuffer {
        let response = try await response(method, path, headers: headers, body: body, timeout: timeout)
        try await check(response)
        return try await collect(response, upTo: limit)
    }

    /// Sends a JSON request and decodes a JSON answer.
    func call<Reply: Decodable>(
        _ method: HTTPMethodName, _ path: String, sending value: (any Encodable)? = nil,
        headers: [(String, String)] = [], timeout: Duration = .seconds(60), as type: Reply.Type = Reply.self
    ) async throws -> Reply {
        let buffer = try await exchange(method, path, sending: value, headers: headers, timeout: timeout)
        do {
            return try JSONDecoder().decode(Reply.self, from: buffer)
        } catch {
            throw QuernError(
                .invalidInput, "the coordinator's answer cannot be read: \(error)", at: base + path,
                remedy: "Use the same version of quern on both sides")
        }
    }

    /// Sends a JSON request whose answer has no body.
    func call(_ method: HTTPMethodName, _ path: String, sending value: (any Encodable)? = nil) async throws {
        _ = try await exchange(method, path, sending: value, headers: [], timeout: .seconds(60))
    }

    private func exchange(
        _ method: HTTPMethodName, _ path: String, sending value: (any Encodable)?, headers: [(String, String)],
        timeout: Duration
    ) async throws -> ByteBuffer {
        var headers = headers
        var content: ByteBuffer?
        if let value {
            headers.append(("Content-Type", "application/json"))
            do {
                content = ByteBuffer(data: try JSONEncoder().encode(value))
            } catch {
                throw QuernError(.invalidInput, "the request cannot be written as JSON: \(error)", at: base + path)
            }
        }
        return try await body(method, path, headers: headers, body: content, timeout: timeout)
    }

    /// - Throws: the error that an unsuccessful response describes.
    func check(_ response: HTTPClientResponse) async throws {
        let status = Int(response.status.code)
        guard status >= 300 else { return }
        let text = try? await collect(response, upTo: 1 << 20)
        if let text, let problem = try? JSONDecoder().decode(Problem.self, from: text) { throw problem.error }
        throw QuernError(
            QuernError.Code(httpStatus: status), "answered with HTTP status \(status)", at: base,
            remedy: "Check that this is the address of a quern coordinator")
    }

    func collect(_ response: HTTPClientResponse, upTo limit: Int) async throws -> ByteBuffer {
        do {
            return try await response.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw QuernError(.invalidInput, "the answer is larger than \(limit) bytes", at: base)
        } catch {
            throw unreachable(error)
        }
    }

    /// What a failure of the connection means to the caller.
    func unreachable(_ error: any Error) -> QuernError {
        if let error = error as? QuernError { return error }
        let failure = NetworkFailure(error)
        if failure.isCancellation { return .cancelledRequest(at: base) }
        return QuernError(
            .unavailable, "the coordinator cannot be reached: \(failure.reason)", at: base,
            remedy: "Check the address, and that `quern coordinator` runs there")
    }
}

/// Why a request came to nothing.
struct NetworkFailure {
    let isCancellation: Bool
    /// For people.
    let reason: String

    init(_ error: any Error) {
        isCancellation = error is CancellationError || (error as? HTTPClientError) == .cancelled
        reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
    }
}

extension QuernError {
    static func cancelledRequest(at place: String) -> QuernError {
        QuernError(.cancelled, "the request was cancelled", at: place)
    }
}

extension HTTPClient {
    /// A pool of connections that lives as long as the process does.
    /// - Parameters:
    ///   - connect: time to open a connection, or to get one that is free.
    ///   - tls: whom to trust; the system's authorities otherwise.
    static func forProcess(connect: TimeAmount, tls: TLSConfiguration? = nil) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.timeout.connect = connect
        // Above the longest silence a coordinator keeps: a long poll of 25 s, heartbeats of an event stream at 15 s.
        configuration.timeout.read = .seconds(60)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        // A refused connection is reported at once; whoever wants to wait for the other side does so himself.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}

enum HTTPMethodName: String {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
}

extension Duration {
    /// Whole nanoseconds; the largest number where there are more.
    var nanoseconds: Int64 {
        let (seconds, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : seconds + components.attoseconds / 1_000_000_000
    }
}

/// One segment of a path, with all but unreserved characters escaped: byte by byte of the UTF-8 form, in capital
/// hexadecimal digits, which is how AWS has it in signatures, too.
func pathSegment(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .unreserved) ?? ""
}

extension CharacterSet {
    fileprivate static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
}
