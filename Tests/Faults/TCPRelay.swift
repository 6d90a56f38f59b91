import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A wire that can be cut: carries connections to one address, unread.
final class TCPRelay: Sendable {
    enum Mode: Sendable {
        case open
        /// Nothing gets through, and nobody is told.
        case silent
        /// Connections end, and new ones too.
        case cut
        /// Everything takes longer, by this much each way.
        case slow(Duration)
    }

    enum Target: Sendable {
        case port(String, Int)
        case socket(path: String)
    }

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    let port: Int
    private let target: Target
    private let mode = Mutex(Mode.open)
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let serving = Mutex<Task<Void, Never>?>(nil)

    /// Listens on a free port, on all addresses.
    init(to target: Target) async throws {
        self.target = target
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "0.0.0.0", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
            }
        port = server.channel.localAddress?.port ?? 0
        serving.withLock {
            $0 = Task { [weak self] in
                try? await server.executeThenClose { connections in
                    try await withThrowingDiscardingTaskGroup { group in
                        for try await connection in connections {
                            group.addTask { [weak self] in try? await self?.serve(connection) }
                        }
                    }
                }
            }
        }
    }

    deinit { serving.withLock { $0?.cancel() } }

    func set(_ new: Mode) {
        mode.withLock { $0 = new }
        if case .cut = new { closeAll() }
    }

    /// Ends all connections by a reset, as a machine does that has forgotten them.
    func reset() {
        for channel in open.withLock({ Array($0.values) }) {
            guard let socket = channel as? any SocketOptionProvider else { continue }
            socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    private func closeAll() {
        for channel in open.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    private func serve(_ near: Connection) async throws {
        try await near.executeThenClose { nearBytes, toNear in
            if case .cut = mode.withLock({ $0 }) { return }
            let far = try await connect()
            keep(near.channel, far.channel)
            defer { forget(near.channel, far.channel) }
            try await far.executeThenClose { farBytes, toFar in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.pump(nearBytes, toFar) }
                    group.addTask { try await self.pump(farBytes, toNear) }
                    // With one direction at its end the other is of no use to the protocols that pass here.
                    try await group.next()
                    group.cancelAll()
                }
            }
        }
    }

    private func connect() async throws -> Connection {
        let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        let wrap: @Sendable (any Channel) -> EventLoopFuture<Connection> = { channel in
            channel.eventLoop.makeCompletedFuture { try Connection(wrappingChannelSynchronously: channel) }
        }
        return switch target {
        case .port(let host, let port): try await bootstrap.connect(host: host, port: port, channelInitializer: wrap)
        case .socket(let path): try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: wrap)
        }
    }

    private func keep(_ channels: any Channel...) {
        open.withLock { open in for channel in channels { open[ObjectIdentifier(channel)] = channel } }
    }

    private func forget(_ channels: any Channel...) {
        open.withLock { open in for channel in channels { open[ObjectIdentifier(channel)] = nil } }
    }

    private func pump(
        _ bytes: NIOAsyncChannelInboundStream<ByteBuffer>, _ destination: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws {
        let (queue, arrivals) = AsyncStream.makeStream(of: (due: ContinuousClock.Instant, piece: ByteBuffer).self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { arrivals.finish() }
                for try await piece in bytes {
                    var due = ContinuousClock.now
                    if case .slow(let delay) = self.mode.withLock({ $0 }) { due += delay }
                    arrivals.yield((due, piece))
                }
            }
            group.addTask {
                for await (due, piece) in queue {
                    if due > .now { try await Task.sleep(until: due) }
                    while case .silent = self.mode.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(20)) }
                    try await destination.write(piece)
                }
            }
            try await group.waitForAll()
        }
    }
}
