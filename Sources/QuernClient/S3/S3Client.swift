import AsyncHTTPClient
import Foundation
import NIOCore
import QuernFormats
import QuernStore

/// What S3 answered.
package struct S3Response: Sendable {
    package let status: Int
    /// By lower-case name.
    package let headers: [String: String]
    package let body: ByteBuffer

    package init(status: Int, headers: [String: String] = [:], body: ByteBuffer = ByteBuffer()) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Sends requests about one bucket, signed, and again where that may help.
package struct S3Client: Sendable {
    /// Sends one request as it is.
    /// - Throws: `.unavailable` where no whole response came.
    package typealias Exchange =
        @Sendable (
            _ request: S3Request, _ headers: [(name: String, value: String)], _ body: ByteBuffer?
        ) async throws -> S3Response

    package let location: S3Location
    package let credentials: AWSCredentials
    /// Whether nothing is ever written there, for errors.
    private let isReading: Bool
    private let patience: Patience
    private let exchange: Exchange

    package init(
        location: S3Location, credentials: AWSCredentials, isReading: Bool = false, patience: Patience = Patience(),
        exchange: @escaping Exchange = S3Client.send
    ) {
        self.location = location
        self.credentials = credentials
        self.isReading = isReading
        self.patience = patience
        self.exchange = exchange
    }

    /// - Parameters:
    ///   - key: without the location's prefix; nil for the bucket itself.
    ///   - query: not encoded.
    ///   - body: with its sha256.
    /// - Returns: a response whose status is below 300, or 404 for a key.
    /// - Throws: `.unavailable` where S3 could not be reached or was too busy every time, `.unauthorized`, `.notFound`
    ///   for a bucket, `.usage` for the wrong region, `.conflict` where the object is not the one in `If-Match`, `.outOfSpace`,
    ///   `.cancelled`, or `.io`.
    func response(
        _ method: String, _ key: String?, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], body: (bytes: ByteBuffer, digest: Digest)? = nil
    ) async throws -> S3Response {
        let request = S3Request(
            method: method, scheme: location.scheme, host: location.host, path: location.path(of: key),
            query: query, headers: headers, payload: body.map { .sha256($0.digest) } ?? .empty)
        return try await patience.spend(at: location.description) {
            let used = try await credentials.current()
            var (response, refusal) = try await send(request, body, signedWith: used)
            if refusal?.code == "ExpiredToken", credentials.replace(used) {
                (response, refusal) = try await send(request, body, signedWith: credentials.current())
            }
            guard let refusal, response.status != 404 || key == nil || refusal.code == "NoSuchBucket" else {
                return response
            }
            throw refusal.error
        }
    }

    /// Sends a request once. It is signed each time: a signature is good for some minutes only.
    /// - Returns: the response, and what is wrong where its status is 300 or more.
    private func send(
        _ request: S3Request, _ body: (bytes: ByteBuffer, digest: Digest)?, signedWith credentials: S3Credentials
    ) async throws -> (S3Response, S3Refusal?) {
        let headers = S3Signer(credentials: credentials, region: location.region)
            .headers(for: request, at: S3Time(Date()))
        let response = try await exchange(request, headers, body?.bytes)
        guard response.status >= 300 else { return (response, nil) }
        let refusal = S3Refusal(
            response, of: request, location: location, credentials: credentials, isReading: isReading)
        return (response, refusal)
    }

    /// The address of a request that is signed by the address: whoever has that can send it.
    /// - Parameters:
    ///   - headers: that the request must have, exactly so.
    ///   - location: the bucket, and how it is reached by whoever sends the request.
    ///   - seconds: for how long it may be sent: 1 to 604,800.
    func presignedURL(
        _ method: String, _ key: String, headers: [(name: String, value: String)] = [], at location: S3Location,
        validFor seconds: Int
    ) async throws -> String {
        let request = S3Request(
            method: method, scheme: location.scheme, host: location.host, path: location.path(of: key),
            headers: headers, payload: .unsigned)
        return S3Signer(credentials: try await credentials.current(), region: location.region)
            .presignedURL(for: request, at: S3Time(Date()), validFor: seconds)
    }

    /// Whoever waits for a connection in a crowd of large blobs must not be told that S3 is away.
    private static let connections = HTTPClient.forProcess(connect: .seconds(20))

    /// Over the network.
    @Sendable package static func send(
        _ request: S3Request, headers: [(name: String, value: String)], body: ByteBuffer?
    ) async throws -> S3Response {
        try await send(
            request.method, request.url, headers: headers, body: body, to: "\(request.scheme)://\(request.host)")
    }

    /// - Parameter server: for errors, in place of an address that may hold a signature.
    package static func send(
        _ method: String, _ url: String, headers: [(name: String, value: String)], body: ByteBuffer?, to server: String
    ) async throws -> S3Response {
        var outgoing = HTTPClientRequest(url: url)
        outgoing.method = .init(rawValue: method)
        for (name, value) in headers { outgoing.headers.add(name: name, value: value) }
        if let body { outgoing.body = .bytes(body) }
        do {
            let response = try await connections.execute(outgoing, timeout: .seconds(300))
            let content = try await response.body.collect(upTo: maximumBlobBytes)
            var fields: [String: String] = [:]
            for (name, value) in response.headers { fields[name.lowercased()] = value }
            return S3Response(status: Int(response.status.code), headers: fields, body: content)
        } catch is NIOTooManyBytesError {
            throw QuernError(.corrupted, "the object is larger than a blob may be", at: server)
        } catch {
            let failure = NetworkFailure(error)
            if failure.isCancellation { throw QuernError.cancelledRequest(at: server) }
            throw QuernError(
                .unavailable, "S3 cannot be reached: \(failure.reason)", at: server,
                remedy: "Check the network, and the endpoint and region that are set")
        }
    }
}
