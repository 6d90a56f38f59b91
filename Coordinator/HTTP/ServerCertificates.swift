import Foundation
import Logging
import NIOSSL
import QuernFormats
import QuernStore
import ServiceLifecycle
import Synchronization

/// Where a server finds what it proves itself with.
public struct CertificateFiles: Sendable {
    /// PEM: the server's certificate, then those between it and an authority.
    public let certificate: String
    /// PEM: its private key, not encrypted.
    public let key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// A server's certificate and key, read again when their files change: connections that are open stay so, new ones
/// see the new certificate.
final class ServerCertificates: Service {
    private struct Pair {
        let chain: [NIOSSLCertificate]
        let key: NIOSSLPrivateKey
    }

    /// What tells whether a file was replaced.
    private struct Stamp: Equatable {
        let device: dev_t
        let inode: ino_t
        let size: off_t
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            (device, inode, size) = (status.st_dev, status.st_ino, status.st_size)
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        }
    }

    private let files: CertificateFiles
    private let interval: Duration
    private let logger: Logger
    private let current: Mutex<Pair>
    private let seen: Mutex<[Stamp?]>
    /// Reading files blocks.
    private let thread = ThreadPool(name: "certificates", threads: 1)

    /// - Parameter interval: how often the files are looked at.
    /// - Throws: `.usage` where one cannot be read, or they do not belong together.
    init(_ files: CertificateFiles, interval: Duration, logger: Logger) throws {
        self.files = files
        self.interval = interval
        self.logger = logger
        seen = Mutex(Self.stamps(of: files))
        let pair = try Self.read(files)
        current = Mutex(pair)
        tell(pair, "certificate read")
    }

    /// HTTP/1.1 over TLS 1.2 or 1.3, with whatever certificate there is when a connection begins.
    var configuration: TLSConfiguration {
        let pair = current.withLock { $0 }
        var configuration = Self.configuration(pair)
        configuration.sslContextCallback = { [self] _, promise in
            let pair = current.withLock { $0 }
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = pair.chain.map { .certificate($0) }
            override.privateKey = .privateKey(pair.key)
            promise.succeed(override)
        }
        return configuration
    }

    /// Looks at the files now and then, until shutdown.
    func run() async throws {
        while !Task.isShuttingDownGracefully {
            try? await cancelWhenGracefulShutdown { [interval] in try await Task.sleep(for: interval) }
            if Task.isCancelled { return }
            try? await thread.run { [self] in refresh() }
        }
    }

    /// Takes a new pair where there is one. While one file is new and the other old they do not belong together: the
    /// next look finds both.
    private func refresh() {
        let stamps = Self.stamps(of: files)
        guard
            seen.withLock({ seen in
                defer { seen = stamps }
                return seen != stamps
            })
        else { return }
        do {
            let pair = try Self.read(files)
            current.withLock { $0 = pair }
            tell(pair, "new certificate read")
        } catch {
            logger.error(
                "the certificate was changed and cannot be used; the old one stays", metadata: ["error": "\(error)"])
        }
    }

    private func tell(_ pair: Pair, _ message: Logger.Message) {
        guard let end = pair.chain.first?.notValidAfter else { return }
        let date = Date(timeIntervalSince1970: Double(end))
        let level: Logger.Level = date < Date.now ? .warning : .notice
        logger.log(
            level: level, message,
            metadata: ["certificate": "\(files.certificate)", "valid until": "\(date.formatted(.iso8601))"])
    }

    private static func stamps(of files: CertificateFiles) -> [Stamp?] {
        [Stamp(files.certificate), Stamp(files.key)]
    }

    private static func configuration(_ pair: Pair) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: pair.chain.map { .certificate($0) }, privateKey: .privateKey(pair.key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return configuration
    }

    private static func read(_ files: CertificateFiles) throws -> Pair {
        let certificate = try bytes(of: files.certificate)
        let secret = try bytes(of: files.key)
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(certificate), !chain.isEmpty else {
            throw QuernError(
                .usage, "no certificate in PEM form", at: files.certificate,
                remedy: "Name a file that begins with -----BEGIN CERTIFICATE-----")
        }
        guard let key = try? NIOSSLPrivateKey(bytes: secret, format: .pem) else {
            throw QuernError(
                .usage, "no private key in PEM form that is not encrypted", at: files.key,
                remedy: "Name the key that the certificate was made for")
        }
        let pair = Pair(chain: chain, key: key)
        do {
            _ = try NIOSSLContext(configuration: configuration(pair))
        } catch {
            throw QuernError(
                .usage, "the key is not that of the certificate \(files.certificate)", at: files.key,
                remedy: "Name the two files of one pair; the server's own certificate comes first in its file")
        }
        return pair
    }

    private static func bytes(of path: String) throws -> [UInt8] {
        let file: FileByteSource
        do {
            file = try FileByteSource(path: path)
        } catch let error as QuernError {
            throw QuernError(.usage, error.message, at: path, remedy: "Name a file in PEM form")
        }
        guard file.size <= 1 << 20 else { throw QuernError(.usage, "too large for a file of keys", at: path) }
        return try file.bytes(at: 0, count: Int(file.size))
    }
}
