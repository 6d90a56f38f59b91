import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore

/// A channel over TLS that tells callers without it what it wants.
struct SecureChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value

    private let secure: TLSChannel<Base>

    init(_ base: Base, _ certificates: ServerCertificates) throws {
        secure = try TLSChannel(base, tlsConfiguration: certificates.configuration)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(PlainTextHandler())
        }.flatMap { secure.setup(channel: channel, logger: logger) }
    }

    func handle(value: Value, logger: Logger) async {
        await secure.handle(value: value, logger: logger)
    }
}
