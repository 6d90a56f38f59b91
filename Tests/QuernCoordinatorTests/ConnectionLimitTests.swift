import AsyncHTTPClient
import Foundation
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import TestSupport
import Testing

/// Callers who open much, say little, or never come to an end.
@Suite struct ConnectionLimitTests {
    private func serve(
        _ rig: ServiceRig, _ change: (inout RequestLimits) -> Void, _ body: (Int) async throws -> Void
    ) async throws {
        var limits = RequestLimits()
        change(&limits)
        let server = try CoordinatorServer(coordinator: rig.coordinator, listen: "127.0.0.1:0", limits: limits)
        try await rig.serve(with: server, body)
    }

    private static let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test func connectionsOfOneAddressAreCounted() async throws {
        let rig = try await ServiceRig.make()
        try await serve(rig) {
            $0.connectionsPerPeer = 2
        } _: { port in
            let first = try RawConnection(port: port)
            var second: RawConnection? = try RawConnection(port: port)
            for connection in [first, second] {
                connection?.send(Self.request)
                #expect(await connection?.receive().hasPrefix("HTTP/1.1 200") == true)
            }
            let third = try RawConnection(port: port)
            #expect(await third.receive() == "")
            // The others do not notice.
            first.send(Self.request)
            #expect(await first.receive().hasPrefix("HTTP/1.1 200"))
            second = nil
            // Until the end of the second has been seen, another is one too many.
            while true {
                let fourth = try RawConnection(port: port)
                fourth.send(Self.request)
                if await fourth.receive().hasPrefix("HTTP/1.1 200") { break }
            }
        }
    }

    @Test(arguments: ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: x\r\n"])
    func whoSaysNothingIsCutOff(beginning: String) async throws {
        let rig = try await ServiceRig.make()
        try await serve(rig) {
            $0.headTime = .milliseconds(200)
        } _: { port in
            // Whoever has asked once may be silent.
            let known = try RawConnection(port: port)
            known.send(Self.request)
            #expect(await known.receive().hasPrefix("HTTP/1.1 200"))
            let silent = try RawConnection(port: port)
            silent.send(beginning)
            #expect(await silent.receive() == "")
            known.send(Self.request)
            #expect(await known.receive().hasPrefix("HTTP/1.1 200"))
        }
    }

    /// As many uploads as the coordinator takes at once stand still; another comes through all the same.
    @Test func bodiesThatStandStillAreCutOff() async throws {
        let rig = try await ServiceRig.make()
        try await serve(rig) {
            $0.bodyTime = .milliseconds(400)
        } _: { port in
            let path = "/v1/blobs/\(Digest(of: [0]).hex)"
            let still = try (0..<20).map { _ in try RawConnection(port: port) }
            for connection in still {
                connection.send("PUT \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
            }
            let blobs = try HTTPBlobStore(url: "http://127.0.0.1:\(port)")
            let bytes = [UInt8](repeating: 3, count: 5 << 20)
            #expect(try await blobs.get(blobs.put(bytes)) == bytes)
            for connection in still {
                // The end of the connection, perhaps behind an answer that says why.
                while await !connection.receive().isEmpty {}
            }
            #expect(try await !blobs.contains(Digest(of: [0])))
        }
    }

    /// A body that nobody reads comes to an end as well.
    @Test func bodiesWithoutEndAreCutOff() async throws {
        let rig = try await ServiceRig.make()
        try await serve(rig) { _ in
        } _: { port in
            let connection = try RawConnection(port: port)
            connection.send("POST /v1/jobs/x/cancel HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "100000\r\n" + String(repeating: "x", count: 1 << 20) + "\r\n"
            let taken = await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    var count = 0
                    while count < 200, connection.send(chunk) { count += 1 }
                    continuation.resume(returning: count)
                }
            }
            #expect((64..<100).contains(taken), "\(taken)")
        }
    }

    @Test func headersHaveALimit() async throws {
        let rig = try await ServiceRig.make()
        try await serve(rig) { _ in
        } _: { port in
            func status(_ headers: [(String, String)]) async throws -> Int {
                var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/healthz")
                for (name, value) in headers { request.headers.add(name: name, value: value) }
                return Int(try await HTTPClient.shared.execute(request, timeout: .seconds(120)).status.code)
            }
            let many = (0..<120).map { ("X-\($0)", "x") }
            for (headers, expected) in [
                ([("X-A", String(repeating: "a", count: 30_000))], 200),
                ([("X-A", String(repeating: "a", count: 40_000))], 400),
                (["A", "B"].map { ("X-\($0)", String(repeating: "a", count: 20_000)) }, 400),
                (Array(many.prefix(90)), 200), (many, 400),
            ] {
                let found = try await status(headers)
                #expect(found == expected, "\(headers.count)")
            }
        }
    }
}
