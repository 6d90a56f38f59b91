import QuernCoordinator
import QuernJobs
import QuernStore

extension InMemoryJobStore {
    func keepBlobs(_ digests: [Digest]) -> Set<Digest> { Set(touch(digests, in: [.live, .condemned]).keys) }

    func announceBlobs(_ digests: [Digest]) -> [Digest: BlobArrival] {
        for digest in digests where blobs[digest] == nil {
            blobs[digest] = Blob(state: .arriving, arrived: now, touched: now)
        }
        return touch(digests, in: [.arriving, .live, .condemned])
    }

    func confirmBlobs(_ arrivals: [Digest: BlobArrival]) -> Set<Digest> {
        for (digest, arrival) in arrivals where blobs[digest]?.arrived == arrival.time {
            if blobs[digest]?.state == .arriving { blobs[digest]?.state = .live }
        }
        let there = touch(Array(arrivals.keys), in: [.live, .condemned])
        return Set(there.filter { arrivals[$0.key] == $0.value }.keys)
    }

    private func touch(_ digests: [Digest], in states: Set<Blob.State>) -> [Digest: BlobArrival] {
        var found: [Digest: BlobArrival] = [:]
        for digest in Set(digests) {
            guard let blob = blobs[digest], states.contains(blob.state) else { continue }
            found[digest] = BlobArrival(time: blob.arrived)
            let interval = BlobRetention.touchInterval.components.seconds * 1000
            guard blob.state == .condemned || blob.touched <= now - interval else { continue }
            blobs[digest]?.touched = now
            if blob.state == .condemned { blobs[digest]?.state = .live }
        }
        return found
    }

    func registerBlobs(_ digests: [Digest]) {
        for digest in digests where blobs[digest] == nil { blobs[digest] = Blob(arrived: now, touched: now) }
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
                blobs[digest] = Blob(state: .condemned, arrived: blob.arrived, touched: now)
                changed.condemned += 1
            case .condemned, .arriving:
                blobs[digest] = Blob(state: .deleting, arrived: blob.arrived, touched: now)
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
