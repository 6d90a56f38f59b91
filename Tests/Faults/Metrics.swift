import AsyncHTTPClient
import Foundation
import QuernFormats

/// Counters of coordinators, as `/metrics` has them.
enum Metrics {
    /// The sum of a counter over coordinators that are all there.
    static func sum(_ name: String, of urls: [String]) async throws -> Int {
        var sum = 0
        for url in urls { sum += try await value(name, of: url) }
        return sum
    }

    /// Asks again for a minute where there is no answer.
    private static func value(_ name: String, of url: String) async throws -> Int {
        for _ in 0..<120 {
            if let value = try? await once(name, of: url) { return value }
            try await Task.sleep(for: .milliseconds(500))
        }
        return try await once(name, of: url)
    }

    private static func once(_ name: String, of url: String) async throws -> Int {
        let response = try await HTTPClient.shared.execute(
            HTTPClientRequest(url: url + "/metrics"), timeout: .seconds(10))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        for line in text.split(separator: "\n") where line.hasPrefix("quern_\(name) ") {
            if let value = Int(line.dropFirst("quern_\(name) ".count)) { return value }
        }
        throw QuernError(.notFound, "there is no counter of this name", at: "\(url)/metrics: \(name)")
    }
}
