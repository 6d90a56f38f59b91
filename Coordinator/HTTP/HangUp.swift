import Hummingbird
import NIOCore
import QuernJobs
import Synchronization

/// The context of a request, with the connection that it came on.
public struct CoordinatorContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Whose token was shown, where that is a lease's.
    var lease: Lease?

    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// Whether the caller of this request is still there; nil where the connection is not watched.
    func hangUp() async -> HangUp? {
        let channel = channel
        return try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: HangUpHandler.self).hangUp
        }.get()
    }
}

/// Tells the one request that waits on a connection when the other side has closed it.
final class HangUp: Sendable {
    private struct State {
        var happened = false
        var action: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    var happened: Bool { state.withLock { $0.happened } }

    /// Calls `action` when the other side hangs up while `operation` runs, or at once where it has already.
    func during<Value>(
        _ operation: () async throws -> Value, action: @escaping @Sendable () -> Void
    ) async rethrows -> Value {
        let already = state.withLock { state in
            state.action = action
            return state.happened
        }
        if already { action() }
        defer { state.withLock { $0.action = nil } }
        return try await operation()
    }

    fileprivate func happen() {
        let action = state.withLock { state in
            state.happened = true
            return state.action
        }
        action?()
    }
}

/// Sees the end of a connection's input, which the HTTP server itself only looks at between requests.
final class HangUpHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    let hangUp = HangUp()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { hangUp.happen() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        hangUp.happen()
        context.fireChannelInactive()
    }
}
