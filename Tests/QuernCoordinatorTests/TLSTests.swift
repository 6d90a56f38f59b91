import Foundation
import QuernClient
import QuernCoordinator
import QuernFormats
import QuernJobs
import TestSupport
import Testing

/// Coordinators that speak TLS, and whom their clients trust.
@Suite struct TLSTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    private func server(
        _ rig: ServiceRig, _ pair: (certificate: String, key: String)?
    ) throws -> CoordinatorServer {
        try CoordinatorServer(
            coordinator: rig.coordinator, listen: "127.0.0.1:0",
            certificate: pair.map { CertificateFiles(certificate: $0.certificate, key: $0.key) })
    }

    @Test(arguments: ["localhost", "127.0.0.1"]) func workGoesOverTLS(host: String) async throws {
        let rig = try await ServiceRig.make()
        let token = try NewAccessToken(name: "all", scopes: [.admin])
        try await rig.store.insertToken(token)
        let server = try server(rig, authority.issue())
        #expect(server.isSecure)
        try await rig.serve(with: server) { port in
            let url = "https://\(host):\(port)"
            let client = try CoordinatorClient(url: url, token: token.secret, authorities: authority.certificate)
            let blobs = try HTTPBlobStore(url: url, token: token.secret, authorities: authority.certificate)
            let job = try await client.submit(Submission(recipe: ServiceRig.recipe()))
            #expect(try await rig.finish(job, through: client).state == .done)
            #expect(try await client.manifest(of: job.id) == ServiceRig.manifest)
            let bytes = [UInt8](repeating: 7, count: 3 << 20)
            #expect(try await blobs.get(blobs.put(bytes)) == bytes)
        }
    }

    enum Fault: CaseIterable {
        case expired, otherHost, otherAuthority, noAuthority
    }

    @Test(arguments: Fault.allCases) func untrustedCoordinatorsAreToldApart(_ fault: Fault) async throws {
        let rig = try await ServiceRig.make()
        let pair = try authority.issue(
            fault == .otherHost ? ["DNS:elsewhere.example"] : ["IP:127.0.0.1"], days: fault == .expired ? -1 : 2)
        let other = try TestAuthority()
        let trusted: String? =
            switch fault {
            case .otherAuthority: other.certificate
            case .noAuthority: nil
            default: authority.certificate
            }
        try await rig.serve(with: try server(rig, pair)) { port in
            let client = try CoordinatorClient(
                url: "https://127.0.0.1:\(port)", token: "secret", authorities: trusted)
            let error = await #expect(throws: QuernError.self) { try await client.jobs(limit: 1) }
            #expect(error?.code == .unavailable)
            let words =
                switch fault {
                case .expired: ["has expired, on ", "Renew"]
                case .otherHost: ["is for another host", "Use a name or address"]
                case .otherAuthority: ["not signed by an authority that is trusted", "belongs into \(trusted ?? "")"]
                case .noAuthority: ["not signed by an authority that is trusted", "--ca-certificate"]
                }
            for word in words { #expect(error?.description.contains(word) == true, "\(String(describing: error))") }
            #expect(error?.location == "https://127.0.0.1:\(port)")
        }
    }

    @Test func wrongSchemesAreNamed() async throws {
        let rig = try await ServiceRig.make()
        try await rig.serve(with: try server(rig, authority.issue())) { port in
            let client = try CoordinatorClient(url: "http://127.0.0.1:\(port)")
            let error = await #expect(throws: QuernError.self) { try await client.jobs(limit: 1) }
            #expect(
                error == QuernError(.usage, "this port speaks TLS", remedy: "Use https:// in place of http://"))
            let blobs = try HTTPBlobStore(url: client.url)
            await #expect(throws: QuernError.self) { try await blobs.put([1, 2, 3]) }
        }
        try await rig.serve(with: try server(rig, nil)) { port in
            let client = try CoordinatorClient(url: "https://127.0.0.1:\(port)")
            let error = await #expect(throws: QuernError.self) { try await client.jobs(limit: 1) }
            #expect(error?.code == .usage)
            #expect(error?.message == "the coordinator does not speak TLS", "\(String(describing: error))")
        }
    }

    @Test func nobodyThereIsUnavailable() async throws {
        let client = try CoordinatorClient(url: "https://127.0.0.1:1", authorities: authority.certificate)
        let error = await #expect(throws: QuernError.self) { try await client.jobs(limit: 1) }
        #expect(error?.code == .unavailable && error?.message.contains("cannot be reached") == true)
    }

    @Test func filesThatCannotBeUsedAreNamed() async throws {
        let rig = try await ServiceRig.make()
        let (pair, other) = (try authority.issue(), try authority.issue())
        let none = rig.folder.path("none.pem")
        for (certificate, key, place) in [
            (none, pair.key, none), (pair.certificate, none, none), (pair.key, pair.key, pair.key),
            (pair.certificate, pair.certificate, pair.certificate), (pair.certificate, other.key, other.key),
        ] {
            let error = #expect(throws: QuernError.self) { try server(rig, (certificate, key)) }
            #expect(error?.code == .usage && error?.location == place, "\(String(describing: error))")
        }
        for path in [none, pair.key] {
            let error = #expect(throws: QuernError.self) {
                try CoordinatorClient(url: "https://127.0.0.1:1", authorities: path)
            }
            #expect(error?.code == .usage && error?.location == path)
        }
    }
}
