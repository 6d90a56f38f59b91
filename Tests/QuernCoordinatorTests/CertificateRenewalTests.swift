import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOSSL
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import QuernStore
import Synchronization
import TestSupport
import Testing

/// Certificates that are replaced while a coordinator serves.
@Suite struct CertificateRenewalTests {
    private let (old, new): (TestAuthority, TestAuthority)
    private let folder: TemporaryFolder
    private var files: CertificateFiles {
        CertificateFiles(certificate: folder.path("server.pem"), key: folder.path("server.key"))
    }

    init() throws {
        (old, new) = (try TestAuthority(), try TestAuthority())
        folder = try TemporaryFolder()
        try install(old.issue())
    }

    private func install(_ pair: (certificate: String, key: String)) throws {
        try replace("server.pem", by: pair.certificate)
        try replace("server.key", by: pair.key)
    }

    private func replace(_ name: String, by path: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: path)).write(
            to: URL(fileURLWithPath: folder.path(name)), options: .atomic)
    }

    private func server(_ rig: ServiceRig, _ lines: LogLines) throws -> CoordinatorServer {
        try CoordinatorServer(
            coordinator: rig.coordinator, listen: "127.0.0.1:0", certificate: files,
            certificateInterval: .milliseconds(20), logger: lines.logger)
    }

    /// Trusts one authority only, and keeps no connection from one call to the next.
    private func trusts(_ authority: TestAuthority, _ port: Int) async throws -> Bool {
        var configuration = HTTPClient.Configuration()
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority.certificate))
        configuration.tlsConfiguration = tls
        return try await HTTPClient.withHTTPClient(configuration: configuration) { client in
            do {
                let request = HTTPClientRequest(url: "https://127.0.0.1:\(port)/healthz")
                return try await client.execute(request, timeout: .seconds(120)).status == .ok
            } catch is NIOSSLError {
                return false
            }
        }
    }

    @Test func openConnectionsOutliveTheOldCertificate() async throws {
        let rig = try await ServiceRig.make {
            $0.longPoll = .seconds(3600)
            $0.expiry = .seconds(3600)
        }
        let lines = LogLines()
        // More than all buffers on the way hold, so that the download is under way.
        let large = [UInt8](repeating: 9, count: 48 << 20)
        let digest = try await rig.blobs.put(large)
        try await rig.serve(with: try server(rig, lines)) { port in
            let url = "https://127.0.0.1:\(port)"
            let client = try CoordinatorClient(url: url, authorities: old.certificate)
            let session = try await client.openSession(ServiceRig.worker).session
            let claim = Task { try await client.claim(session, limit: 1, wait: .seconds(3600)) }
            try await rig.until(waiting: 1)

            var configuration = HTTPClient.Configuration()
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(old.certificate))
            configuration.tlsConfiguration = tls
            try await HTTPClient.withHTTPClient(configuration: configuration) { http in
                let request = HTTPClientRequest(url: "\(url)/v1/blobs/\(digest.hex)")
                let response = try await http.execute(request, timeout: .seconds(300))
                var received = 0
                var pieces = response.body.makeAsyncIterator()
                received += try await pieces.next()?.readableBytes ?? 0

                #expect(try await trusts(old, port))
                #expect(try await !trusts(new, port))
                try install(new.issue())
                await lines.wait(for: "new certificate read")
                #expect(try await trusts(new, port))
                #expect(try await !trusts(old, port))

                while let piece = try await pieces.next() { received += piece.readableBytes }
                #expect(received == large.count)
            }
            _ = try await rig.submit()
            #expect(try await claim.value.count == 1)
        }
    }

    @Test func whatCannotBeUsedIsNotTaken() async throws {
        let rig = try await ServiceRig.make()
        let lines = LogLines()
        try await rig.serve(with: try server(rig, lines)) { port in
            let next = try new.issue()
            // Half of the pair; a file that is cut off; none at all.
            try replace("server.pem", by: next.certificate)
            await lines.wait(for: "the old one stays")
            #expect(try await trusts(old, port))
            try Data(contentsOf: URL(fileURLWithPath: next.key)).prefix(60).write(
                to: URL(fileURLWithPath: files.key), options: .atomic)
            await lines.wait(for: "the old one stays")
            #expect(try await trusts(old, port))
            try FileManager.default.removeItem(atPath: files.key)
            await lines.wait(for: "the old one stays")
            #expect(try await trusts(old, port))

            try replace("server.key", by: next.key)
            await lines.wait(for: "new certificate read")
            #expect(try await trusts(new, port))
        }
    }

    /// A volume of Kubernetes changes by a link to another folder.
    @Test func renewalThroughALinkIsSeen() async throws {
        let rig = try await ServiceRig.make()
        let lines = LogLines()
        for (name, authority) in [("1", old), ("2", new)] {
            let pair = try authority.issue()
            try folder.write(try Data(contentsOf: URL(fileURLWithPath: pair.certificate)), to: "\(name)/tls.crt")
            try folder.write(try Data(contentsOf: URL(fileURLWithPath: pair.key)), to: "\(name)/tls.key")
        }
        try folder.link("data", to: "1")
        let server = try CoordinatorServer(
            coordinator: rig.coordinator, listen: "127.0.0.1:0",
            certificate: CertificateFiles(certificate: folder.path("data/tls.crt"), key: folder.path("data/tls.key")),
            certificateInterval: .milliseconds(20), logger: lines.logger)
        try await rig.serve(with: server) { port in
            #expect(try await trusts(old, port))
            try folder.link("next", to: "2")
            #expect(rename(folder.path("next"), folder.path("data")) == 0)
            await lines.wait(for: "new certificate read")
            #expect(try await trusts(new, port))
        }
    }
}
