import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A request on its way through a relay.
struct RelayedRequest: Sendable {
    let method: HTTPMethod
    let path: String
    let headers: HTTPHeaders
    let body: ByteBuffer

    /// The id of the lease that the call is about; nil for other calls.
    var lease: String? {
        let parts = path.split(separator: "/")
        return parts.count == 4 && parts[1] == "leases" ? String(parts[2]) : nil
    }
    var isCompletion: Bool { lease != nil && path.hasSuffix("/complete") }
    var isUpload: Bool { method == .PUT && path.hasPrefix("/v1/blobs/") }
}

/// What a relay does with a request.
enum Delivery: Sendable {
    case once
    /// The same request twice, side by side; the answer to one of them is handed on.
    case twice
    /// It is delivered, but the connection ends before the answer.
    case unanswered
    /// The connection ends before it is delivered.
    case never
}

/// Stands between a worker and a coordinator and understands the requests that pass.
final class HTTPRelay: Sendable {
    /// May take its time: the request waits meanwhile.
    typealias Policy = @Sendable (RelayedRequest) async -> Delivery
    typealias Observer = @Sendable (RelayedRequest, _ status: UInt) -> Void

    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, IOData>>

    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }
    private let serving: Task<Void, Never>

    /// Listens on a free port of this machine.
    /// - Parameters:
    ///   - target: URL of the coordinator.
    ///   - observer: told of every answer that came.
    init(to target: String, policy: @escaping Policy, observer: @escaping Observer = { _, _ in }) async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        port = server.channel.localAddress?.port ?? 0
        serving = Task {
            try? await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in connections {
                        group.addTask { try? await Self.serve(connection, target, policy, observer) }
                    }
                }
            }
        }
    }

    deinit { serving.cancel() }

    private static func serve(
        _ connection: Connection, _ target: String, _ policy: @escaping Policy, _ observer: @escaping Observer
    ) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body = ByteBuffer()
            for try await part in inbound {
                switch part {
                case .head(let request):
                    head = request
                    body = ByteBuffer()
                case .body(var piece):
                    body.writeBuffer(&piece)
                case .end:
                    guard let head else { return }
                    let request = RelayedRequest(
                        method: head.method, path: head.uri, headers: head.headers, body: body)
                    let answer = await whileOpen(connection.channel) {
                        await deliver(request, to: target, policy, observer)
                    }
                    guard let answer else { return }
                    try await outbound.write(.head(answer.head))
                    if answer.body.readableBytes > 0 { try await outbound.write(.body(.byteBuffer(answer.body))) }
                    try await outbound.write(.end(nil))
                }
            }
        }
    }

    private typealias Answer = (head: HTTPResponseHead, body: ByteBuffer)

    /// Gives up on an answer when the client does, so that the coordinator notices.
    private static func whileOpen(
        _ channel: any Channel, _ answering: @escaping @Sendable () async -> Answer?
    ) async -> Answer? {
        await withTaskGroup(of: Answer?.self) { group in
            group.addTask { await answering() }
            group.addTask {
                let (closing, continuation) = AsyncStream.makeStream(of: Void.self)
                channel.closeFuture.whenComplete { _ in continuation.finish() }
                for await _ in closing {}
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// - Returns: nil where the client is not to hear of it.
    private static func deliver(
        _ request: RelayedRequest, to target: String, _ policy: @escaping Policy, _ observer: @escaping Observer
    ) async -> Answer? {
        let delivery = await policy(request)
        if delivery == .never { return nil }
        if delivery == .twice { Task { await forward(request, to: target, observer) } }
        let answer = await forward(request, to: target, observer)
        return delivery == .unanswered ? nil : answer
    }

    @discardableResult
    private static func forward(
        _ request: RelayedRequest, to target: String, _ observer: @escaping Observer
    ) async -> Answer? {
        var outgoing = HTTPClientRequest(url: target + request.path)
        outgoing.method = request.method
        outgoing.headers = request.headers
        for name in ["Host", "Content-Length", "Transfer-Encoding", "Connection"] {
            outgoing.headers.remove(name: name)
        }
        if request.body.readableBytes > 0 { outgoing.body = .bytes(request.body) }
        guard let response = try? await HTTPClient.shared.execute(outgoing, timeout: .seconds(120)),
            let body = try? await response.body.collect(upTo: 256 << 20)
        else { return nil }
        observer(request, response.status.code)
        var headers = response.headers
        headers.remove(name: "Transfer-Encoding")
        // The length that a HEAD tells is that of what a GET would bring.
        if request.method != .HEAD, response.status != .noContent {
            headers.replaceOrAdd(name: "Content-Length", value: "\(body.readableBytes)")
        }
        return (HTTPResponseHead(version: .http1_1, status: response.status, headers: headers), body)
    }
}
