import Foundation
import NIOCore
import QuernFormats
import Synchronization

/// Asks the Hugging Face Hub, again where that may help, and goes where it sends. The token goes to the hub alone.
package final class HubClient: Sendable {
    package let settings: HubSettings
    let origin: WebOrigin
    private let patience: Patience
    /// Where the hub sent for a file: such addresses are good for an hour or so, and save asking it for every range.
    private let locations = Mutex<[String: (url: String, time: ContinuousClock.Instant)]>([:])

    /// The longest that the hub may ask for when a job is submitted: whoever submits waits for a minute at most.
    private static let longestForDocuments: Duration = .seconds(30)

    private static let locationsKept = 4096
    private static let locationTime: Duration = .seconds(15 * 60)

    /// The hub counts requests over five minutes.
    package static var patience: Patience {
        var patience = Patience()
        patience.attempts = 6
        patience.pause = .milliseconds(500)
        patience.longest = .seconds(330)
        return patience
    }

    package init(settings: HubSettings, patience: Patience = HubClient.patience) throws(QuernError) {
        self.settings = settings
        self.patience = patience
        guard let origin = WebOrigin(settings.endpoint) else {
            throw QuernError(.usage, "no address of a hub", at: settings.endpoint)
        }
        self.origin = origin
    }

    /// As lists of hosts have it.
    package var host: String { origin.name }

    /// Asks for a JSON document.
    /// - Parameters:
    ///   - path: behind the endpoint, encoded; or a whole address, which must be the hub's own.
    ///   - url: what it is about, for errors.
    /// - Returns: the document, and the address of the next page where there is one.
    func document(_ path: String, about url: HubURL) async throws -> (json: JSONValue, next: String?) {
        let address = path.hasPrefix("/") ? settings.endpoint + path : path
        guard WebOrigin(address) == origin else {
            throw QuernError(.invalidInput, "the hub names a next page on another host", at: url.text)
        }
        var patience = patience
        patience.longest = min(patience.longest, Self.longestForDocuments)
        return try await patience.spend(at: url.text) { [self] in
            let answer = try await follow(address, range: nil, limit: 64 << 20, about: url)
            guard answer.status < 300 else { throw self.refusal(answer, of: url) }
            do {
                return (try JSONValue.parse(Array(answer.body.readableBytesView)), Self.next(answer.headers["link"]))
            } catch let error as QuernError {
                throw error.located(in: address)
            }
        }
    }

    /// Fetches a range of a file.
    /// - Parameters:
    ///   - url: of the file, with the commit.
    ///   - size, version: as they were planned with.
    func bytes(_ range: Range<UInt64>, of url: HubURL, size: UInt64, version: String) async throws -> ByteBuffer {
        let address = "\(settings.endpoint)/\(url.encodedRepository)/resolve/\(url.encodedRevision)/\(url.encodedPath)"
        return try await patience.spend(at: url.text) { [self] in
            if let known = location(of: address) {
                if let answer = try? await follow(known, range: range, limit: range.count, about: url),
                    answer.status < 300, let part = try? self.part(answer, range, url, size)
                {
                    return part
                }
                // Its time is over, or it is busy: the hub may know a better one.
                locations.withLock { $0[address] = nil }
            }
            let answer = try await follow(address, range: range, limit: range.count, about: url)
            guard answer.status < 300 else { throw self.refusal(answer, of: url) }
            try self.check(answer.told, size: size, version: version, at: url)
            let part = try self.part(answer, range, url, size)
            if let location = answer.location { remember(location, for: address) }
            return part
        }
    }

    private func part(_ answer: HubAnswer, _ range: Range<UInt64>, _ url: HubURL, _ size: UInt64) throws -> ByteBuffer {
        try RangeAnswer.bytes(
            status: answer.status, contentRange: answer.headers["content-range"], body: answer.body, range: range,
            size: size, at: url.text)
    }

    /// What the hub says of a large file before it sends elsewhere must be what it said when the job was planned.
    private func check(_ told: [String: String], size: UInt64, version: String, at url: HubURL) throws {
        if let text = told["x-linked-size"], let now = UInt64(text), now != size {
            throw RangeAnswer.changed("\(now) bytes in place of \(size)", at: url.text)
        }
        if let tag = told["x-linked-etag"] {
            let now = tag.trimmingCharacters(in: ["\"", "W", "/"])
            if !now.isEmpty, version.hasPrefix("sha256:"), "sha256:\(now)" != version {
                throw RangeAnswer.changed("its ETag is \(now)", at: url.text)
            }
        }
    }

    private func location(of address: String) -> String? {
        locations.withLock { locations in
            guard let known = locations[address] else { return nil }
            guard ContinuousClock.now - known.time < Self.locationTime else {
                locations[address] = nil
                return nil
            }
            return known.url
        }
    }

    private func remember(_ location: String, for address: String) {
        locations.withLock { locations in
            if locations.count >= Self.locationsKept {
                locations = locations.filter { ContinuousClock.now - $0.value.time < Self.locationTime }
                if locations.count >= Self.locationsKept { locations = [:] }
            }
            locations[address] = (location, .now)
        }
    }

    private func refusal(_ answer: HubAnswer, of url: HubURL) -> Patience.Failure {
        let refusal = HubRefusal(answer, of: url, settings: settings, isHub: answer.origin == origin)
        return Patience.Failure(error: refusal.error, wait: ServerWait.asked(answer.headers))
    }

    /// The address of the next page, of a header `Link` (RFC 8288).
    private static func next(_ link: String?) -> String? {
        for part in link?.split(separator: ",") ?? [] where part.contains("rel=\"next\"") {
            guard let start = part.firstIndex(of: "<"), let end = part.firstIndex(of: ">"), start < end else {
                continue
            }
            return String(part[part.index(after: start)..<end])
        }
        return nil
    }
}
