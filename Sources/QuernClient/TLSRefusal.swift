import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import QuernFormats
import Synchronization

/// Why a connection was not trusted, in words.
struct TLSRefusal {
    let error: QuernError

    /// - Parameters:
    ///   - base: the coordinator's address.
    ///   - authorities: as of `HTTPTransport`.
    /// - Returns: nil where `failure` has to do with something else.
    init?(_ failure: any Error, of base: String, authorities: String?) async {
        if let failure = failure as? NIOSSLExtraError, failure == .failedToValidateHostname {
            error = QuernError(
                .unavailable, "the coordinator's certificate is for another host", at: base,
                remedy: "Use a name or address that the certificate has, or give the coordinator another certificate")
            return
        }
        guard case .handshakeFailed(let reason)? = failure as? NIOSSLError else { return nil }
        let text = "\(reason)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            error = Self.distrust(await Self.certificate(of: base), at: base, authorities: authorities)
        } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            error = QuernError(
                .usage, "the coordinator does not speak TLS", at: base, remedy: "Use http:// in place of https://")
        } else {
            error = QuernError(
                .unavailable, "no TLS connection: \(text)", at: base,
                remedy: "Check that this is the port of a coordinator with --tls-certificate")
        }
    }

    private static func distrust(_ certificate: NIOSSLCertificate?, at base: String, authorities: String?) -> QuernError
    {
        if let certificate {
            let now = Date.now.timeIntervalSince1970
            let (from, until) = (Double(certificate.notValidBefore), Double(certificate.notValidAfter))
            if until < now || from > now {
                let date = Date(timeIntervalSince1970: until < now ? until : from).formatted(.iso8601)
                return QuernError(
                    .unavailable,
                    until < now
                        ? "the coordinator's certificate has expired, on \(date)"
                        : "the coordinator's certificate is valid from \(date) on only", at: base,
                    remedy: "Renew the coordinator's certificate, or set the clock of this machine")
            }
        }
        return QuernError(
            .unavailable, "the coordinator's certificate is not signed by an authority that is trusted here", at: base,
            remedy: authorities.map { "The certificate of that authority belongs into \($0)" }
                ?? "Name the certificate of that authority with --ca-certificate or QUERN_CA_FILE")
    }

    /// What the other side shows for a certificate. The handshake ends with a refusal as soon as that has come: nothing
    /// is sent over a connection that is not trusted.
    private static func certificate(of base: String) async -> NIOSSLCertificate? {
        guard let parts = URLComponents(string: base), let host = parts.host?.trimmingCharacters(in: ["[", "]"]),
            let context = try? NIOSSLContext(configuration: .makeClientConfiguration())
        else { return nil }
        let shown = SeenCertificate()
        // Addresses are no names to send.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(
                            context: context, serverHostname: isAddress ? nil : host,
                            customVerificationCallback: { certificates, promise in
                                shown.set(certificates.first)
                                promise.succeed(.failed)
                            }))
                }
            }
        guard let channel = try? await bootstrap.connect(host: host, port: parts.port ?? 443).get() else { return nil }
        let limit = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
        try? await channel.closeFuture.get()
        limit.cancel()
        return shown.certificate
    }
}

private final class SeenCertificate: Sendable {
    private let value = Mutex<NIOSSLCertificate?>(nil)
    var certificate: NIOSSLCertificate? { value.withLock { $0 } }
    func set(_ certificate: NIOSSLCertificate?) { value.withLock { $0 = certificate } }
}
