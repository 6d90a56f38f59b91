import QuernCoordinator
import QuernJobs
import QuernStore

extension InMemoryJobStore {
    func keepBlobs(_ digests: [Digest], adding: Bool) -> Set<Digest> {
        if adding { registerBlobs(digests) }
        let kept = Set(digests).filter { blobs[$0].map { $0.state != .deleting } ?? false }
        let interval = BlobRetention.touchInterval.components.seconds * 1000
        for digest in kept where blobs[digest]?.state == .condemned || blobs[digest]!.touched <= now - interval {
            blobs[digest] = Blob(touched: now)
        }
        return kept
    }

    func registerBlobs(_ digests: [Digest]) {
        for digest in digests where blobs[digest] == nil { blobs[digest] = Blob(touched: now) }
    }

    func condemnBlobs(_ retention: BlobRetention) -> (condemned: Int, deleting: Int) {
        let claimed = jobs.values.flatMap(\.items).filter { $0.life.state == .leased }.map(\.claimed)
        let idle = min(now - retention.grace.components.seconds * 1000, claimed.min() ?? now)
        let cachedIdle = min(idle, now - retention.parts.components.seconds * 1000)
        let cached = Set(cache.values.map(\.digest))
        let open = jobs.values.filter { $0.life.state != .done }
        let named = Set(open.flatMap { $0.items.flatMap { $0.result?.blobs ?? [] } })
        var changed = (condemned: 0, deleting: 0)
        for (digest, blob) in blobs where !named.contains(digest) && blob.touched < idle {
            switch blob.state {
            case .live where blob.touched < cachedIdle || !cached.contains(digest):
                blobs[digest] = Blob(state: .condemned, touched: now)
                changed.condemned += 1
            case .condemned:
                blobs[digest] = Blob(state: .deleting, touched: now)
                changed.deleting += 1
            case .live, .deleting:
                break
            }
        }
        return changed
    }

    func blobsToDelete(limit: Int) -> [Digest] {
        blobs.filter { $0.value.state == .deleting }.keys.sorted { $0.hex < $1.hex }.prefix(limit).map(\.self)
    }

    func forgetBlobs(_ digests: [Digest]) {
        for digest in digests where blobs[digest]?.state == .deleting { blobs[digest] = nil }
        cache = cache.filter { !digests.contains($0.value.digest) }
    }
}
