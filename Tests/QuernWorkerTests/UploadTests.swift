import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import TestSupport
import Testing

/// Artifacts that are sent to an object store.
@Suite struct UploadTests {
    private let bench: Workbench

    init() throws { bench = try Workbench() }

    /// Whatever the size of the parts, wherever blobs are kept.
    @Test(arguments: [(97, false), (4096, true), (1 << 20, false)])
    func objectsHaveTheBytesOfFiles(partBytes: Int, inMemory: Bool) async throws {
        let blobs: any BlobStore = inMemory ? MemoryBlobStore() : bench.blobs
        let pipeline = try await Pipeline(bench, blobs: blobs)
        let service = MemoryService(pipeline.items)
        let objects = MemoryObjects(partBytes: partBytes)
        try await bench.worker(service, blobs: blobs, objects: objects).run()
        #expect(await service.isDone)
        var found = objects.objects
        let published = found.removeValue(forKey: "manifest.json")
        let manifest = try #require(published)
        found["report.html"] = nil
        #expect(found == pipeline.expected)
        #expect(objects.state.withLock { $0.order.last } == "manifest.json")
        #expect(try contents(of: bench.output).isEmpty)

        let files = try await Pipeline(bench, blobs: bench.blobs)
        try await bench.worker(MemoryService(files.items)).run()
        #expect(try contents(of: bench.output)["manifest.json"] == manifest)
    }

    private func assemble(
        _ work: AssembleWork, _ inputs: [Int: WorkResult], to objects: MemoryObjects?
    ) async throws -> MemoryService.Item {
        let item = PlannedItem(payload: .assemble(work), cost: 1, memory: 1, label: "assemble")
        let service = MemoryService([item], inputs: inputs)
        try await bench.worker(service, objects: objects).run()
        return await service.items[0]
    }

    /// Two tensors: one whose parts follow each other, and one whose three parts have columns each; and room before,
    /// between and behind them.
    private func sample() async throws -> (AssembleWork, [Int: WorkResult]) {
        func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: $0 * seed >> 3) }
        }
        var inputs: [Int: WorkResult] = [:]
        for (ordinal, count) in [500, 300, 70, 140, 35].enumerated() {
            let digest = try await bench.blobs.put(bytes(count, 31 + ordinal))
            inputs[ordinal] = .encode(
                EncodeResult(
                    parts: [Part(digest: digest, bytes: UInt64(count), squaredError: 1, squaredNorm: 4)]))
        }
        let header = try await bench.blobs.put(bytes(90, 3))
        func references(_ range: Range<Int>) -> [PartReference] { range.map { PartReference(ordinal: $0, index: 0) } }
        let work = AssembleWork(
            target: "T", file: "t.bin", size: 1400, header: [header],
            tensors: [
                TensorPlacement(
                    name: "a", shape: [800], type: .element(.i8), offset: 96, bytes: 800, parts: references(0..<2)),
                TensorPlacement(
                    name: "b", shape: [245], type: .element(.i8), offset: 960, bytes: 245, lines: 7,
                    parts: references(2..<5)),
                TensorPlacement(name: "c", shape: [0], type: .element(.i8), offset: 1216, bytes: 0, parts: []),
            ])
        return (work, inputs)
    }

    @Test(arguments: [64, 333, 1400, 5000]) func partsBesideEachOther(partBytes: Int) async throws {
        let (work, inputs) = try await sample()
        let objects = MemoryObjects(partBytes: partBytes)
        let sent = try await assemble(work, inputs, to: objects)
        let written = try await assemble(work, inputs, to: nil)
        #expect(sent.result != nil && sent.result == written.result)
        #expect(objects.objects["t.bin"] == (try contents(of: bench.output)["t.bin"]))
        #expect(objects.state.withLock { $0.abandoned } == 0)
    }

    /// As a tokenizer may have.
    @Test func anEmptyFile() async throws {
        let work = AssembleWork(target: "T", file: "empty.txt", size: 0, header: [], tensors: [])
        let objects = MemoryObjects(partBytes: 100)
        let sent = try await assemble(work, [:], to: objects)
        let written = try await assemble(work, [:], to: nil)
        #expect(sent.result != nil && sent.result == written.result)
        #expect(objects.objects == ["empty.txt": []])
    }

    @Test func aStoreThatIsAwayIsWaitedFor() async throws {
        let (work, inputs) = try await sample()
        let objects = MemoryObjects(partBytes: 100)
        objects.state.withLock { $0.away = 20 }
        #expect(try await assemble(work, inputs, to: objects).result != nil)
        #expect(objects.state.withLock { $0.uploads } == 1)
    }

    @Test func whatIsRefusedIsThrownAway() async throws {
        let (work, inputs) = try await sample()
        let objects = MemoryObjects(partBytes: 100)
        objects.state.withLock { $0.refused = 1 }
        let item = try await assemble(work, inputs, to: objects)
        #expect(item.failures.first?.class == .transient && item.failures.first?.message == "refused")
        #expect(objects.objects.isEmpty && objects.state.withLock { $0.abandoned } == 1)
    }

    /// An object that does not read back is not left there.
    @Test func damageIsFoundBeforeItIsSaidToBeDone() async throws {
        let (work, inputs) = try await sample()
        let objects = MemoryObjects(partBytes: 100)
        objects.state.withLock { $0.damages = true }
        let item = try await assemble(work, inputs, to: objects)
        #expect(item.result == nil)
        #expect(item.failures.first?.message.contains("does not read back as it was sent") == true)
        #expect(objects.objects.isEmpty)
    }

    @Test func allLostPartsAreNamed() async throws {
        let (work, inputs) = try await sample()
        var lost: Set<Digest> = []
        for ordinal in [1, 3] {
            guard case .encode(let result)? = inputs[ordinal] else { continue }
            lost.insert(result.parts[0].digest)
            try await bench.blobs.remove(result.parts[0].digest)
        }
        let objects = MemoryObjects(partBytes: 100)
        let item = try await assemble(work, inputs, to: objects)
        #expect(item.failures.first?.class == .lostInput)
        #expect(item.failures.first.map { Set($0.blobs) } == lost)
        #expect(objects.objects.isEmpty && objects.state.withLock { $0.abandoned } == 1)
    }
}
