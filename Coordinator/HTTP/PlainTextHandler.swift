import Foundation
import NIOCore
import QuernFormats
import QuernJobs

/// Answers those who speak HTTP without TLS to a port that wants it, in words that they can read.
final class PlainTextHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case waiting, secure, refused
    }

    /// The first byte of a TLS connection: a record of the handshake.
    private static let handshake: UInt8 = 22
    private var state = State.waiting

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if state == .waiting {
            let buffer = unwrapInboundIn(data)
            if let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) {
                state = first == Self.handshake ? .secure : .refused
                if state == .refused { refuse(context) }
            }
        }
        if state != .refused { context.fireChannelRead(data) }
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let error = QuernError(.usage, "this port speaks TLS", remedy: "Use https:// in place of http://")
        let body = (try? JSONEncoder().encode(Problem(error))) ?? Data()
        let head =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: \(Problem.mediaType)\r\n"
            + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        var answer = ByteBuffer(string: head)
        answer.writeBytes(body)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { _ in channel.close(promise: nil) }
    }
}
