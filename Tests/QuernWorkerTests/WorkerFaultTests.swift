import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import Testing

/// What happens between a worker and its coordinator when things go wrong.
@Suite struct WorkerFaultTests {
    private let bench: Workbench

    init() throws { bench = try Workbench() }

    private func expectWhole(_ pipeline: Pipeline, _ service: MemoryService) async throws {
        #expect(await service.isDone)
        var found = try contents(of: bench.output)
        found["manifest.json"] = nil
        found["report.html"] = nil
        #expect(found == pipeline.expected)
    }

    @Test func coordinatorThatIsAwayIsWaitedFor() async throws {
        let pipeline = try await Pipeline(bench, blobs: bench.blobs)
        let service = MemoryService(pipeline.items, away: 20)
        let running = Task { try await bench.worker(service, exitWhenIdle: nil).run() }
        for ordinal in [3, 6, 9] {
            await service.wait { $0.items[ordinal].attempts > 0 }
            await service.goAway(for: 25)
        }
        await service.wait { $0.isDone }
        running.cancel()
        try await running.value
        #expect(await service.closed == 1)
        #expect(await service.sessions == 1)
        #expect(await service.items.allSatisfy { $0.attempts == 1 && $0.failures.isEmpty })
        try await expectWhole(pipeline, service)
    }

    /// An item whose importance matrix is held back, so that it is in work for as long as a test wants.
    private func heldItem(_ blobs: MemoryBlobStore, source name: String = "a.bin") throws -> PlannedItem {
        let columns = 256
        let stored = [Float].noise(columns, seed: 1).stored(as: .f32, columns: columns)
        let source = try bench.source(stored, name: name)
        let weights = try blobs.put([Float](repeating: 1, count: columns).stored(as: .f32, columns: columns))
        let span = Span(
            tensor: "t", extents: [Extent(origin: .file(0), offset: 0, length: source.size)], sourceType: .f32,
            columns: columns, rows: 1, firstRow: 0,
            outputs: [EncodeOutput(type: .q4_K, importance: Importance(digest: weights, rowsPerMatrix: 1))])
        return PlannedItem(
            payload: .encode(EncodeWork(files: [source], spans: [span], encoder: "test-1")), cost: 1, memory: 1,
            label: "held")
    }

    @Test func lostLeaseIsDroppedAndTheItemDoneAgain() async throws {
        let blobs = MemoryBlobStore()
        blobs.close()
        let service = MemoryService([try heldItem(blobs)])
        let running = Task { try await bench.worker(service, blobs: blobs, exitWhenIdle: nil).run() }
        await service.wait { $0.items[0].attempts == 1 }
        await service.loseLease(of: 0)
        await service.wait { $0.items[0].attempts == 2 }
        blobs.open()
        await service.wait { $0.isDone }
        running.cancel()
        try await running.value
        #expect(await service.items[0].attempts == 2)
        // The first lease was neither completed nor failed nor released.
        #expect(await service.refused == 0)
        #expect(await service.items[0].failures.isEmpty)
    }

    @Test func expiredSessionIsReplaced() async throws {
        let blobs = MemoryBlobStore()
        blobs.close()
        let service = MemoryService([try heldItem(blobs)])
        let running = Task { try await bench.worker(service, blobs: blobs, exitWhenIdle: nil).run() }
        await service.wait { $0.items[0].attempts == 1 }
        await service.expireSession()
        await service.wait { $0.sessions == 2 && $0.items[0].attempts == 2 }
        blobs.open()
        await service.wait { $0.isDone }
        running.cancel()
        try await running.value
        #expect(await service.closed == 1)
    }

    @Test func drainFinishesWhatIsInWorkAndReleasesTheRest() async throws {
        let blobs = MemoryBlobStore()
        blobs.close()
        let service = MemoryService(try ["a.bin", "b.bin", "c.bin"].map { try heldItem(blobs, source: $0) })
        let running = Task { try await bench.worker(service, blobs: blobs, slots: 1, exitWhenIdle: nil).run() }
        // One in work, one claimed ahead.
        await blobs.waitForReader()
        await service.wait { $0.items[1].attempts == 1 }
        running.cancel()
        await service.wait { $0.items[1].releases == 1 }
        blobs.open()
        try await running.value
        let items = await service.items
        #expect(items[0].result != nil && items[0].releases == 0)
        #expect(items[1].result == nil && items[1].lease == nil)
        #expect(items[2].attempts == 0)
        #expect(await service.closed == 1)
    }

    @Test func drainHasALimit() async throws {
        let blobs = MemoryBlobStore()
        blobs.close()
        let service = MemoryService([try heldItem(blobs)])
        let worker = bench.worker(service, blobs: blobs, exitWhenIdle: nil, drainLimit: .milliseconds(20))
        let running = Task { try await worker.run() }
        await blobs.waitForReader()
        running.cancel()
        try await running.value
        let item = await service.items[0]
        #expect(item.releases == 1 && item.result == nil && item.failures.isEmpty)
        blobs.open()
    }

    /// What was claimed ahead cannot be given back: it expires.
    @Test(.timeLimit(.minutes(10))) func drainDoesNotWaitForACoordinatorThatIsAway() async throws {
        let blobs = MemoryBlobStore()
        blobs.close()
        let service = MemoryService(try ["a.bin", "b.bin"].map { try heldItem(blobs, source: $0) })
        let worker = bench.worker(service, blobs: blobs, slots: 1, exitWhenIdle: nil, drainLimit: .milliseconds(20))
        let running = Task { try await worker.run() }
        await blobs.waitForReader()
        await service.wait { $0.items[1].attempts == 1 }
        await service.goAway(for: .max)
        running.cancel()
        try await running.value
        #expect(await service.items.allSatisfy { $0.releases == 0 && $0.lease != nil })
        blobs.open()
    }

    /// A full disk below the coordinator's database, for one.
    @Test(.timeLimit(.minutes(10)), arguments: [QuernError.Code.outOfSpace, .io, .internalFault])
    func troublesOfTheCoordinatorAreWaitedOut(trouble: QuernError.Code) async throws {
        let service = MemoryService([])
        await service.goAway(for: 20, trouble)
        let running = Task { try await bench.worker(service, exitWhenIdle: nil).run() }
        await service.wait { $0.sessions == 1 }
        await service.goAway(for: 20, trouble)
        await service.wait { $0.away == 0 }
        running.cancel()
        try await running.value
        #expect(await service.sessions == 1)
    }

    /// Such as a disk that fails to read or write for a moment.
    @Test(.timeLimit(.minutes(10)), arguments: [QuernError.Code.io, .unavailable])
    func troublesOfTheBlobStoreCostNoAttempt(trouble: QuernError.Code) async throws {
        let blobs = MemoryBlobStore()
        let service = MemoryService([try heldItem(blobs)])
        blobs.fail(7, trouble)
        try await bench.worker(service, blobs: blobs).run()
        let item = await service.items[0]
        #expect(item.result != nil && item.attempts == 1 && item.failures.isEmpty)
    }

    @Test func heartbeatsGoOnWhileItemsAreInWork() async throws {
        let blobs = MemoryBlobStore()
        blobs.close()
        let service = MemoryService([try heldItem(blobs)])
        let running = Task { try await bench.worker(service, blobs: blobs, exitWhenIdle: nil).run() }
        await service.wait { ($0.fractions[0]?.count ?? 0) >= 5 }
        blobs.open()
        await service.wait { $0.isDone }
        running.cancel()
        try await running.value
        #expect(await service.fractions[0]?.allSatisfy { (0...1).contains($0) } == true)
    }

    @Test func idleWorkerEnds() async throws {
        let service = MemoryService([])
        try await bench.worker(service, exitWhenIdle: .milliseconds(50)).run()
        #expect(await service.closed == 1)
    }
}
