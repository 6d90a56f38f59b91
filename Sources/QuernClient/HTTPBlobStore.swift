import NIOCore
import QuernFormats
import QuernJobs
import QuernStore

/// A coordinator's blob store, reached over HTTP.
public struct HTTPBlobStore: BlobStore {
    private let transport: HTTPTransport
    /// Under a lease, what tells the coordinator where the names of blobs come from.
    private let trails: BlobTrails?

    /// - Parameters: as for `CoordinatorClient`.
    public init(url: String, token: String? = nil, authorities: String? = nil) throws {
        transport = try HTTPTransport(url: url, token: token, authorities: authorities)
        trails = nil
    }

    init(_ transport: HTTPTransport, trails: BlobTrails) {
        self.transport = transport
        self.trails = trails
    }

    public func contains(_ digest: Digest) async throws -> Bool {
        let response = try await transport.response(.head, "/v1/blobs/\(digest.hex)")
        if response.status == .notFound { return false }
        try await transport.check(response)
        return true
    }

    @discardableResult
    public func put(_ bytes: [UInt8]) async throws -> Digest {
        guard bytes.count <= maximumBlobBytes else {
            throw QuernError(
                .invalidInput, "\(bytes.count) bytes are more than a blob may hold (\(maximumBlobBytes))")
        }
        let digest = try await digest(of: bytes)
        if try await contains(digest) { return digest }
        _ = try await transport.body(
            .put, "/v1/blobs/\(digest.hex)", headers: [("Content-Type", "application/octet-stream")],
            body: ByteBuffer(bytes: bytes), limit: 1 << 16, timeout: .seconds(600))
        return digest
    }

    public func get(_ digest: Digest) async throws -> [UInt8] {
        let buffer = try await transport.body(
            .get, "/v1/blobs/\(digest.hex)", headers: trails?.header(for: digest) ?? [], limit: maximumBlobBytes,
            timeout: .seconds(120))
        let bytes = Array(buffer.readableBytesView)
        guard try await self.digest(of: bytes) == digest else {
            throw QuernError(
                .corrupted, "the bytes that came do not have the blob's digest", at: digest.hex,
                remedy: "Ask again; if it stays so, the coordinator's blob store is damaged")
        }
        trails?.read(bytes, of: digest)
        return bytes
    }

    /// Hashing 64 MiB takes long enough to starve a heartbeat, so it has threads of its own.
    private func digest(of bytes: [UInt8]) async throws -> Digest {
        try await clientThreads.run { Digest(of: bytes) }
    }
}

/// For hashing and for files.
let clientThreads = ThreadPool(name: "quern-client", threads: 2)
