import AsyncHTTPClient
import Foundation
import NIOCore
import QuernFormats

/// A request to a service that gives out credentials.
struct CredentialRequest: Sendable {
    var method = "GET"
    let url: String
    var headers: [(name: String, value: String)] = []
    var body: String?
    /// Until the whole answer is there.
    let timeout: Duration

    /// Services of a machine answer at once or not at all.
    static let local: Duration = .seconds(2)
    static let remote: Duration = .seconds(15)

    private static let connections = HTTPClient.forProcess(connect: .seconds(10))

    /// Sends it once.
    /// - Throws: `.unavailable` where no whole answer came, `.cancelled`.
    func send() async throws -> CredentialAnswer {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        do {
            let response = try await Self.connections.execute(request, timeout: .nanoseconds(timeout.nanoseconds))
            let body = try await response.body.collect(upTo: 1 << 20)
            return CredentialAnswer(
                status: Int(response.status.code), text: String(decoding: body.readableBytesView, as: UTF8.self))
        } catch {
            let failure = NetworkFailure(error)
            if failure.isCancellation { throw QuernError.cancelledRequest(at: url) }
            throw QuernError(
                .unavailable, "the service that gives out credentials cannot be reached: \(failure.reason)", at: url,
                remedy: "Check the network, and the variables that name it")
        }
    }
}

/// What such a service says.
struct CredentialAnswer: Sendable {
    let status: Int
    let text: String

    /// The credentials in an answer in JSON, as agents of containers and the metadata service give it.
    /// - Parameters:
    ///   - url: for messages.
    ///   - source: see `S3Credentials.source`.
    /// - Throws: `.unauthorized` where the service refuses, `.unavailable` where it fails or is busy.
    func credentials(from url: String, source: String) throws -> S3Credentials {
        struct Body: Decodable {
            let Code: String?
            let Message: String?
            let code: String?
            let message: String?
            let AccessKeyId: String?
            let SecretAccessKey: String?
            let Token: String?
            let Expiration: String?
        }
        let body = try? JSONDecoder().decode(Body.self, from: Data(text.utf8))
        let said = [body?.Code ?? body?.code, body?.Message ?? body?.message].compactMap { $0 }
        let isGood = status == 200 && ["Success", nil].contains(body?.Code)
        guard isGood, let access = body?.AccessKeyId, let secret = body?.SecretAccessKey else {
            throw Self.refusal(status, said.joined(separator: ": "), at: url)
        }
        return S3Credentials(
            accessKey: access, secretKey: secret, sessionToken: body?.Token,
            expires: try Self.date(body?.Expiration, at: url), source: source)
    }

    /// When credentials expire.
    /// - Throws: `.unavailable` for what is no time: credentials that nobody renews would end in the middle of work.
    static func date(_ text: String?, at url: String) throws -> Date? {
        guard let text else { return nil }
        guard let date = S3Listing.date(text) else {
            throw QuernError(.unavailable, "it names no time as the end of credentials: '\(text)'", at: url)
        }
        return date
    }

    static func refusal(_ status: Int, _ said: String, at url: String) -> QuernError {
        let answer = "HTTP status \(status)\(said.isEmpty ? "" : ", \(said)")"
        guard (400..<500).contains(status), status != 408, status != 429 else {
            return QuernError(
                .unavailable, "no credentials were given out (\(answer))", at: url, remedy: "Try again later")
        }
        return QuernError(
            .unauthorized, "credentials are refused (\(answer))", at: url,
            remedy: "Check the role, and who may have its credentials")
    }
}
