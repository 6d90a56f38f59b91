import HTTPTypes
import NIOCore
import NIOHTTPTypes
import QuernStore

/// Closes connections whose other side keeps the coordinator waiting: for the first request, or for the rest of a body.
/// Only the time counts in which the coordinator is ready to read.
final class SlowRequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart

    private enum Expected {
        /// The first request of the connection.
        case head
        /// The rest of a body, of which so many bytes have come.
        case body(Int)
        /// Another request, whenever that comes.
        case nothing
    }

    private let limits: RequestLimits
    private var expected = Expected.head
    /// How long there was nothing to read.
    private var waited = Duration.zero
    private var waitingSince: ContinuousClock.Instant?
    private var check: Scheduled<Void>?

    init(_ limits: RequestLimits) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) { schedule(context) }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    func read(context: ChannelHandlerContext) {
        if waitingSince == nil { waitingSince = .now }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        settle()
        switch unwrapInboundIn(data) {
        case .head:
            expected = .body(0)
            waited = .zero
            schedule(context)
        case .body(let buffer):
            if case .body(let count) = expected { expected = .body(count + buffer.readableBytes) }
            // No route takes more; what none reads must not go on for ever either.
            if case .body(let count) = expected, count > maximumBlobBytes + 1 << 20 {
                return context.close(promise: nil)
            }
        case .end:
            expected = .nothing
        }
        context.fireChannelRead(data)
    }

    private func settle() {
        if let since = waitingSince { waited += ContinuousClock.now - since }
        waitingSince = nil
    }

    private var limit: Duration? {
        switch expected {
        case .head: limits.headTime
        case .body(let count): limits.bodyTime + .seconds(Double(count) / Double(limits.bodyBytesPerSecond))
        case .nothing: nil
        }
    }

    private func schedule(_ context: ChannelHandlerContext) {
        guard check == nil, limit != nil else { return }
        let pause = min(limits.headTime, limits.bodyTime) / 4
        check = context.eventLoop.assumeIsolatedUnsafeUnchecked().scheduleTask(
            in: .milliseconds(max(1, pause.milliseconds))
        ) {
            self.check = nil
            guard let limit = self.limit else { return }
            let waiting = self.waited + (self.waitingSince.map { ContinuousClock.now - $0 } ?? .zero)
            if waiting > limit {
                context.close(promise: nil)
            } else {
                self.schedule(context)
            }
        }
    }
}
