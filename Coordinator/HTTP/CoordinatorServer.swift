import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import QuernFormats
import ServiceLifecycle

/// A coordinator on a TCP port.
public struct CoordinatorServer: Sendable {
    let coordinator: Coordinator
    public let listen: ListenAddress
    private let allowRemoteWithoutTokens: Bool
    private let certificates: ServerCertificates?
    private let limits: RequestLimits
    let logger: Logger

    /// - Parameters:
    ///   - listen: `HOST:PORT`; port 0 for any.
    ///   - certificate: to speak TLS; nil for HTTP as it is.
    ///   - certificateInterval: how often the files of the certificate are looked at.
    ///   - limits: what callers may ask for at most.
    ///   - allowRemoteWithoutTokens: to listen beyond this machine although anybody who reaches the port may submit
    ///     jobs and act as a worker.
    /// - Throws: `QuernError` `.usage` where `listen` is no address, where the certificate cannot be used, or where it
    ///   would open the coordinator to others without saying which folders and hosts they may
    ///   have read.
    public init(
        coordinator: Coordinator, listen: String, certificate: CertificateFiles? = nil,
        certificateInterval: Duration = .seconds(5), limits: RequestLimits = RequestLimits(),
        allowRemoteWithoutTokens: Bool = false,
        logger: Logger = Logger(label: "quern.http")
    ) throws {
        self.coordinator = coordinator
        self.limits = limits
        certificates = try certificate.map {
            try ServerCertificates($0, interval: certificateInterval, logger: logger)
        }
        self.listen = try ListenAddress(listen)
        self.allowRemoteWithoutTokens = allowRemoteWithoutTokens
        self.logger = logger
        let settings = coordinator.settings
        let isLimited = if case .listed = settings.sourceHosts { true } else { settings.sourceRoots != nil }
        guard self.listen.isLoopback || isLimited else {
            throw QuernError(
                .usage, "no folder for sources is given, so others could have any file of this machine read",
                at: listen,
                remedy: "Name the folders that sources lie in with --source-root, or hosts with --source-host")
        }
    }

    /// Serves until the task is cancelled, or until SIGTERM or SIGINT where `handlesSignals` says so. Then waiting
    /// calls and event streams end at once, transfers within a minute.
    /// - Parameter onReady: called with the port once it is open.
    /// - Throws: `QuernError` `.usage` where it would be open to others, and there are no tokens; `.conflict` where the
    ///   port cannot be opened.
    public func run(
        handlesSignals: Bool = false, onReady: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) async throws {
        try await coordinator.store.migrate()
        let routes = CoordinatorRoutes(coordinator: coordinator, limits: limits)
        let isClosed = try await routes.access.isClosed
        guard listen.isLoopback || allowRemoteWithoutTokens || isClosed else {
            throw QuernError(
                .usage, "listening beyond this machine without tokens would let anybody in", at: listen.description,
                remedy:
                    "Make a token with quern token create, or listen on 127.0.0.1, or, in a network that you trust, "
                    + "add --allow-remote-without-tokens")
        }
        if isClosed, !listen.isLoopback, certificates == nil {
            logger.warning(
                "tokens travel unencrypted: name a certificate with --tls-certificate, or put a proxy in front that does",
                metadata: ["listen": "\(listen)"])
        }
        let application = Application(
            router: routes.makeRouter(), server: server,
            configuration: ApplicationConfiguration(
                address: .hostname(listen.host, port: listen.port), serverName: "quern"),
            onServerRunning: { channel in await onReady(channel.localAddress?.port ?? listen.port) },
            logger: logger)
        // Shut down from the last to the first: first the long calls end, then the server, then the duties.
        var configuration = ServiceGroupConfiguration(
            services: [coordinator, application, Drain(coordinator: coordinator)] + [certificates].compactMap { $0 },
            gracefulShutdownSignals: handlesSignals ? [.sigterm, .sigint] : [], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(60)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError {
            throw QuernError(
                .conflict, "cannot listen: \(String(cString: strerror(error.errnoCode)))", at: listen.description,
                remedy: "Is another coordinator running there? Choose another port")
        }
    }

    /// Whether callers use `https`.
    public var isSecure: Bool { certificates != nil }

    private var server: HTTPServerBuilder {
        HTTPServerBuilder { [certificates, limits] responder in
            let http = HTTP1Channel(
                responder: responder,
                configuration: .init(
                    additionalChannelHandlers: [
                        SlowRequestHandler(limits), MalformedRequestHandler(), HangUpHandler(),
                    ],
                    idleTimeout: .seconds(120),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                        maxHeaderFieldCount: limits.headerFields)))
            let counter = ConnectionCounter(most: limits.connectionsPerPeer)
            guard let certificates else { return CountedChannel(base: http, counter: counter) }
            return CountedChannel(base: try SecureChannel(http, certificates), counter: counter)
        }
    }

    /// Ends waiting calls when a shutdown begins.
    private struct Drain: Service {
        let coordinator: Coordinator

        func run() async throws {
            try? await gracefulShutdown()
            coordinator.drain()
        }
    }
}
