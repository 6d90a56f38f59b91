import Foundation
import QuernFormats
import QuernJobs
import QuernStore

/// Removing blobs that nothing needs any more.
extension Coordinator {
    /// How many blobs are removed between two looks at whether that is still this coordinator's duty.
    private static let removedAtOnce = 200

    /// Collects once in an interval, and soon where the disk is too full for uploads, as long as no other coordinator
    /// does; until the task is cancelled.
    func collectBlobs() async {
        guard let collection = settings.collection, let blobs = storedBlobs as? any CollectableBlobStore else { return }
        let holder = UUID().uuidString
        let clock = ContinuousClock()
        // Not at once, so that coordinators that are started again and again do something else, too.
        let pause = min(collection.interval, .seconds(60))
        var next = clock.now + pause
        var search = next
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            do {
                var isNeeded = false
                if blobsFillDisk { isNeeded = try await disk.used() >= settings.uploadLimit }
                guard isNeeded || clock.now >= next, try await leadsCollection(holder) else { continue }
                if clock.now >= search {
                    try await registerFound(in: blobs, holder: holder)
                    search = clock.now + collection.searchInterval
                }
                try await collect(
                    from: blobs, isNeeded ? collection.retentionInNeed : collection.retention, holder: holder)
                next = clock.now + collection.interval
            } catch {
                guard !Task.isCancelled else { return }
                logger.warning("collecting blobs failed and will be tried again", metadata: ["error": "\(error)"])
            }
        }
    }

    private func leadsCollection(_ holder: String) async throws -> Bool {
        // Long enough for a page of a slow store; whoever comes next only waits for it.
        try await store.lead(.collector, holder: holder, term: settings.term * 8)
    }

    /// Blobs from before they were recorded, and those whose record was lost with a database.
    private func registerFound(in blobs: any CollectableBlobStore, holder: String) async throws {
        for first in UInt8.min...UInt8.max {
            let found = try await blobs.digests(beginningWith: first, olderThan: BlobRetention.shortestGrace)
            if !found.isEmpty { try await store.registerBlobs(found) }
            guard try await leadsCollection(holder) else { return }
        }
    }

    private func collect(
        from blobs: any CollectableBlobStore, _ retention: BlobRetention, holder: String
    ) async throws {
        let changed = try await store.condemnBlobs(retention)
        var removed = 0
        while try await leadsCollection(holder) {
            let page = try await store.blobsToDelete(limit: Self.removedAtOnce)
            guard !page.isEmpty else { break }
            for digest in page { try await blobs.remove(digest) }
            try await store.forgetBlobs(page)
            removed += page.count
        }
        count {
            $0.blobsCondemned += changed.condemned
            $0.blobsRemoved += removed
        }
        guard changed.condemned + removed > 0 else { return }
        logger.info(
            "collected blobs",
            metadata: ["condemned": "\(changed.condemned)", "removed": "\(removed)"])
    }
}
