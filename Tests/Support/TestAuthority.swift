import Foundation

/// A certificate authority of a test, by openssl.
public final class TestAuthority: Sendable {
    private let folder: TemporaryFolder
    /// PEM file of the authority's own certificate.
    public var certificate: String { folder.path("authority.pem") }

    public init() throws {
        folder = try TemporaryFolder()
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", folder.path("authority.key"), "-out", certificate,
        ])
    }

    /// A certificate for a server, and its key.
    /// - Parameters:
    ///   - names: as openssl writes them: `DNS:localhost`, `IP:127.0.0.1`.
    ///   - days: from now on; less than none for one that has expired.
    public func issue(
        _ names: [String] = ["DNS:localhost", "IP:127.0.0.1"], days: Int = 2
    ) throws -> (certificate: String, key: String) {
        let name = UUID().uuidString
        let (certificate, key) = (folder.path(name + ".pem"), folder.path(name + ".key"))
        try openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=server",
            "-keyout", key, "-out", folder.path(name + ".csr"),
        ])
        try folder.write("subjectAltName=\(names.joined(separator: ","))\n", to: name + ".extensions")
        try openssl([
            "x509", "-req", "-in", folder.path(name + ".csr"), "-CA", self.certificate, "-CAkey",
            folder.path("authority.key"), "-CAcreateserial", "-days", "\(days)", "-extfile",
            folder.path(name + ".extensions"), "-out", certificate,
        ])
        return (certificate, key)
    }

    private func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
}
