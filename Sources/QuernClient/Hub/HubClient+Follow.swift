import AsyncHTTPClient
import Foundation
import NIOCore
import QuernFormats

extension HubClient {
    private static let redirects = 5
    private static let connections = HTTPClient.forProcess(connect: .seconds(20))

    /// Sends a request, and goes where it is sent to.
    /// - Parameter limit: bytes of the answer; more are an error.
    func follow(
        _ start: String, range: Range<UInt64>?, limit: Int, about url: HubURL
    ) async throws -> HubAnswer {
        var address = start
        var told: [String: String] = [:]
        for hop in 0...Self.redirects {
            guard let now = WebOrigin(address) else {
                throw QuernError(.io, "the hub sends to what is no address", at: url.text)
            }
            let response = try await send(address, range: range, to: now, about: url)
            var headers: [String: String] = [:]
            for (name, value) in response.headers { headers[name.lowercased()] = value }
            let status = Int(response.status.code)
            if now == origin { told.merge(headers.filter { $0.key.hasPrefix("x-linked-") }) { $1 } }
            guard [301, 302, 303, 307, 308].contains(status), let location = headers["location"] else {
                let body = try await collect(response, status: status, limit: limit, from: now, about: url)
                return HubAnswer(
                    status: status, headers: headers, body: body, origin: now,
                    location: hop > 0 && now != origin ? address : nil, told: told)
            }
            // So that the connection can be used again.
            _ = try? await response.body.collect(upTo: 1 << 16)
            address = try next(location, from: address, now, about: url)
        }
        throw QuernError(.io, "the hub sends in circles", at: url.text)
    }

    /// - Throws: for a way that is less safe, or leads to what only this machine means by the address.
    private func next(_ location: String, from address: String, _ now: WebOrigin, about url: HubURL) throws -> String {
        let next =
            WebOrigin(location) != nil
            ? location : URL(string: location, relativeTo: URL(string: address))?.absoluteString ?? ""
        guard let target = WebOrigin(next), target.scheme == now.scheme || target.scheme == "https",
            !target.isLinkLocal
        else {
            throw QuernError(
                .io, "\(now.name) sends to an address that is not to be trusted", at: url.text,
                remedy: "Check that HF_ENDPOINT is the address of a hub")
        }
        return next
    }

    private func send(
        _ address: String, range: Range<UInt64>?, to target: WebOrigin, about url: HubURL
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "User-Agent", value: "quern")
        // What is measured in bytes must come as it lies there.
        request.headers.add(name: "Accept-Encoding", value: "identity")
        if let range { request.headers.add(name: "Range", value: RangeAnswer.header(range)) }
        if target == origin, let token = settings.token {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        do {
            return try await Self.connections.execute(request, timeout: .seconds(300))
        } catch {
            throw unreachable(error, target, url)
        }
    }

    private func collect(
        _ response: HTTPClientResponse, status: Int, limit: Int, from target: WebOrigin, about url: HubURL
    ) async throws -> ByteBuffer {
        do {
            guard status < 300 else {
                return (try? await response.body.collect(upTo: 1 << 16)) ?? ByteBuffer()
            }
            return try await response.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw status == 200
                ? RangeAnswer.noRanges(at: url.text)
                : QuernError(.unavailable, "\(target.name) sent more than was asked for", at: url.text)
        } catch {
            throw unreachable(error, target, url)
        }
    }

    private func unreachable(_ error: any Error, _ target: WebOrigin, _ url: HubURL) -> QuernError {
        let failure = NetworkFailure(error)
        if failure.isCancellation { return .cancelledRequest(at: url.text) }
        return QuernError(
            .unavailable, "\(target.name) cannot be reached, or broke off: \(failure.reason)", at: url.text,
            remedy: "Check the network, and HF_ENDPOINT")
    }
}
