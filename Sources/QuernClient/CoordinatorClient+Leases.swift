import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import Synchronization

/// Where the names of blobs come from that an item does not name itself: a coordinator wants to be told before it hands
/// them out under a lease.
final class BlobTrails: Sendable {
    private let trails = Mutex<[Digest: String]>([:])
    /// Most bytes of a blob that may name others.
    private static let largestList = 16 << 20

    /// The header of a request for the blob; nil where its name has come from nowhere else.
    func header(for digest: Digest) -> [(String, String)] {
        trails.withLock { $0[digest] }.map { [("Quern-Trail", $0)] } ?? []
    }

    func found(_ parts: [Digest: Part]) {
        trails.withLock { trails in
            for (key, part) in parts where trails[part.digest] == nil { trails[part.digest] = "key:\(key.hex)" }
        }
    }

    /// Remembers what a blob names, where it is a text.
    func read(_ bytes: [UInt8], of digest: Digest) {
        guard bytes.count <= Self.largestList, bytes.prefix(80).allSatisfy({ (9...126).contains($0) }) else { return }
        let named = Digest.named(in: bytes)
        guard !named.isEmpty else { return }
        trails.withLock { trails in
            let way = (trails[digest].map { $0 + "," } ?? "") + "blob:\(digest.hex)"
            for blob in named where trails[blob] == nil { trails[blob] = way }
        }
    }
}

extension CoordinatorClient {
    /// What the item of a lease may reach, with the lease's own token where there is one.
    public func access(under lease: Lease, to blobs: any BlobStore) -> WorkAccess {
        guard lease.token != nil, let blobs = blobs as? HTTPBlobStore else {
            return WorkAccess(blobs: blobs) { try await lookUp($0) }
        }
        let transport = transport(for: lease)
        let trails = BlobTrails()
        return WorkAccess(blobs: blobs.under(transport, trails: trails)) { keys in
            let parts = try await Self.lookUp(keys, through: transport)
            trails.found(parts)
            return parts
        }
    }

    func transport(for lease: Lease) -> HTTPTransport {
        lease.token.map { transport.showing($0) } ?? transport
    }
}
