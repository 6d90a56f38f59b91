import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// Counts connections by where they come from.
final class ConnectionCounter: Sendable {
    private let most: Int
    private let counts = Mutex<[PeerAddress: Int]>([:])

    init(most: Int) { self.most = most }

    /// Counts a connection until it is closed.
    /// - Returns: whether it is within the limit; otherwise it is not counted.
    func admit(_ channel: any Channel) -> Bool {
        let peer = PeerAddress(channel.remoteAddress)
        let isWithin = counts.withLock { counts in
            guard counts[peer, default: 0] < most else { return false }
            counts[peer, default: 0] += 1
            return true
        }
        guard isWithin else { return false }
        channel.closeFuture.whenComplete { [self] _ in
            counts.withLock { counts in
                let left = counts[peer, default: 1] - 1
                counts[peer] = left > 0 ? left : nil
            }
        }
        return true
    }
}

/// A channel that closes connections from where there are too many.
struct CountedChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value

    let base: Base
    let counter: ConnectionCounter

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let isAdmitted = counter.admit(channel)
        return base.setup(channel: channel, logger: logger).map { value in
            // Not by failing here: that would be the end of the server.
            if !isAdmitted {
                logger.debug(
                    "too many connections", metadata: ["peer": "\(PeerAddress(channel.remoteAddress))"])
                channel.close(promise: nil)
            }
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
