import AsyncHTTPClient
import Logging
import NIOCore
import QuernFormats
import QuernJobs
import QuernStore

/// A coordinator's blob store, reached over HTTP; the bytes of blobs go past the coordinator wherever it can sign
/// requests to where they lie, and that can be reached.
public struct HTTPBlobStore: BlobStore {
    private let transport: HTTPTransport
    /// Under a lease, what tells the coordinator where the names of blobs come from.
    private let trails: BlobTrails?
    private let downloads: DirectRoute
    private let uploads: DirectRoute

    /// - Parameters: as for `CoordinatorClient`.
    ///   - logger: is told when blobs have to pass through the coordinator that could go past it.
    ///   - rest: for how long they do, before the other way is tried again.
    public init(
        url: String, token: String? = nil, authorities: String? = nil, logger: Logger = Logger(label: "quern.client"),
        rest: Duration = .seconds(300)
    ) throws {
        transport = try HTTPTransport(url: url, token: token, authorities: authorities)
        trails = nil
        downloads = DirectRoute("fetched", logger: logger, rest: rest)
        uploads = DirectRoute("stored", logger: logger, rest: rest)
    }

    private init(_ store: HTTPBlobStore, _ transport: HTTPTransport, _ trails: BlobTrails) {
        self.transport = transport
        self.trails = trails
        downloads = store.downloads
        uploads = store.uploads
    }

    /// The same under a lease.
    func under(_ transport: HTTPTransport, trails: BlobTrails) -> HTTPBlobStore {
        HTTPBlobStore(self, transport, trails)
    }

    public func contains(_ digest: Digest) async throws -> Bool {
        let response = try await transport.response(.head, path(of: digest))
        if response.status == .notFound { return false }
        try await transport.check(response)
        return true
    }

    private func path(of digest: Digest) -> String { "/v1/blobs/\(digest.hex)" }

    /// Hashing 64 MiB takes long enough to starve a heartbeat, so it has threads of its own.
    private func digest(of bytes: [UInt8]) async throws -> Digest {
        try await clientThreads.run { Digest(of: bytes) }
    }
}

// MARK: Storing

extension HTTPBlobStore {
    /// How often a blob is sent past the coordinator; the second time because an address is good for minutes only.
    private static let tries = 2

    @discardableResult
    public func put(_ bytes: [UInt8]) async throws -> Digest {
        guard bytes.count <= maximumBlobBytes else {
            throw QuernError(
                .invalidInput, "\(bytes.count) bytes are more than a blob may hold (\(maximumBlobBytes))")
        }
        let digest = try await digest(of: bytes)
        if try await putDirectly(bytes, digest) { return digest }
        _ = try await transport.body(
            .put, path(of: digest), headers: [("Content-Type", "application/octet-stream")],
            body: ByteBuffer(bytes: bytes), limit: 1 << 16, timeout: .seconds(600))
        return digest
    }

    /// - Returns: false where the coordinator has to take the bytes.
    private func putDirectly(_ bytes: [UInt8], _ digest: Digest) async throws -> Bool {
        for attempt in 1...Self.tries {
            let offer = try await offer(digest, bytes: bytes.count)
            if offer.stored { return true }
            guard let upload = offer.upload, uploads.mayBeTaken() else { return false }
            let reason: String
            switch try await uploads.send(
                "PUT", upload.url, headers: upload.headers, body: ByteBuffer(bytes: bytes))
            {
            case .done:
                if try await confirm(digest, bytes: bytes.count) { return true }
                reason = "what was sent to S3 is not found there"
            case .refused(let answer), .missing(let answer): reason = answer
            case .failed: return false
            }
            if attempt == Self.tries { uploads.close(because: reason) }
        }
        return false
    }

    private func offer(_ digest: Digest, bytes: Int) async throws -> Wire.BlobOffer {
        do {
            return try await transport.call(
                .post, "\(path(of: digest))/offer", sending: Wire.BlobSize(bytes: bytes), timeout: .seconds(120))
        } catch let error as QuernError where error.code == .notFound {
            // A coordinator from before there were offers.
            return Wire.BlobOffer(stored: false, upload: nil)
        }
    }

    /// - Returns: whether the blob has arrived.
    private func confirm(_ digest: Digest, bytes: Int) async throws -> Bool {
        do {
            try await transport.call(.post, "\(path(of: digest))/confirm", sending: Wire.BlobSize(bytes: bytes))
            return true
        } catch let error as QuernError where [.notFound, .invalidInput].contains(error.code) {
            return false
        }
    }
}

// MARK: Fetching

extension HTTPBlobStore {
    public func get(_ digest: Digest) async throws -> [UInt8] {
        var doubt: String?
        let bytes: [UInt8]
        if let direct = try await getDirectly(digest, &doubt) {
            bytes = direct
        } else {
            bytes = try await received(try await ask(digest), digest)
            // So it is not the blob that is lost or damaged.
            if let doubt { downloads.close(because: doubt) }
        }
        trails?.read(bytes, of: digest)
        return bytes
    }

    private func ask(_ digest: Digest, directly: Bool = false) async throws -> HTTPClientResponse {
        var headers = trails?.header(for: digest) ?? []
        if directly { headers.append(("Quern-Direct", "yes")) }
        return try await transport.response(.get, path(of: digest), headers: headers, timeout: .seconds(120))
    }

    /// - Parameter doubt: why the blob is lost or damaged, or else the way is wrong: the coordinator, who can mend the
    ///   one, finds out which.
    /// - Returns: nil where the bytes are not to be had.
    private func getDirectly(_ digest: Digest, _ doubt: inout String?) async throws -> [UInt8]? {
        for attempt in 1...Self.tries where downloads.mayBeTaken() {
            let response = try await ask(digest, directly: true)
            guard response.status == .temporaryRedirect, let url = response.headers.first(name: "Location") else {
                return try await received(response, digest)
            }
            // So that the connection can be used again.
            _ = try await transport.collect(response, upTo: 1 << 16)
            switch try await downloads.send("GET", url) {
            case .done(let body):
                let bytes = Array(body.readableBytesView)
                if try await self.digest(of: bytes) == digest { return bytes }
                doubt = "what came from S3 is not the blob"
                return nil
            case .missing(let answer):
                doubt = answer
                return nil
            case .refused(let reason): if attempt == Self.tries { downloads.close(because: reason) }
            case .failed: return nil
            }
        }
        return nil
    }

    /// The bytes of a blob that the coordinator sends.
    private func received(_ response: HTTPClientResponse, _ digest: Digest) async throws -> [UInt8] {
        try await transport.check(response)
        let bytes = Array(try await transport.collect(response, upTo: maximumBlobBytes).readableBytesView)
        guard try await self.digest(of: bytes) == digest else {
            throw QuernError(
                .corrupted, "the bytes that came do not have the blob's digest", at: digest.hex,
                remedy: "Ask again; if it stays so, the coordinator's blob store is damaged")
        }
        return bytes
    }
}

/// For hashing and for files.
let clientThreads = ThreadPool(name: "quern-client", threads: 2)
