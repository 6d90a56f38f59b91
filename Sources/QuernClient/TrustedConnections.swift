import AsyncHTTPClient
import NIOSSL
import QuernFormats
import Synchronization

/// Connections to coordinators, by whom they trust: those that trust the same share a pool.
enum TrustedConnections {
    private static let system = HTTPClient.forProcess(connect: .seconds(5))
    private static let own = Mutex<[String: HTTPClient]>([:])

    /// - Parameter authorities: a PEM file, read when it is first named; nil for the system's authorities.
    /// - Throws: `.usage` where the file holds no certificate.
    static func client(authorities: String?) throws -> HTTPClient {
        guard let authorities else { return system }
        return try own.withLock { clients in
            if let client = clients[authorities] { return client }
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.minimumTLSVersion = .tlsv12
            tls.trustRoots = .certificates(try certificates(authorities))
            let client = HTTPClient.forProcess(connect: .seconds(5), tls: tls)
            clients[authorities] = client
            return client
        }
    }

    private static func certificates(_ path: String) throws -> [NIOSSLCertificate] {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
            throw QuernError(
                .usage, "no certificates of authorities in PEM form", at: path,
                remedy: "Name the certificate of the authority that has signed the coordinator's")
        }
        return certificates
    }
}
