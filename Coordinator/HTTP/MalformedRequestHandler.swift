import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import QuernFormats
import QuernJobs

/// Gives a problem document to those whose request is no HTTP: the server answers them itself, before any route does,
/// and with nothing but a status.
final class MalformedRequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var found: HTTPParserError?
    /// What the head that went by last said is to come.
    private var document: ByteBuffer?

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError { found = error }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            guard let found, head.status == .badRequest, head.headerFields[.contentType] == nil else {
                context.write(data, promise: promise)
                return
            }
            let body = HTTPProblem.malformed(found).document
            head.headerFields[.contentType] = Problem.mediaType
            head.headerFields[.contentLength] = String(body.readableBytes)
            document = body
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end(let trailers):
            if let document { context.write(wrapOutboundOut(.body(document)), promise: nil) }
            document = nil
            context.write(wrapOutboundOut(.end(trailers)), promise: promise)
        default:
            context.write(data, promise: promise)
        }
    }
}

extension HTTPProblem {
    /// A request that breaks the rules of HTTP/1.1: after it nobody knows where the next one begins.
    static func malformed(_ error: HTTPParserError) -> HTTPProblem {
        HTTPProblem(
            error: QuernError(.usage, "the request is no valid HTTP: \(error)"), status: 400,
            headers: [.connection: "close"])
    }
}
