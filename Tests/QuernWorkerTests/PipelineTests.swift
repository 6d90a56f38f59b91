import Foundation
import QuernFormats
import QuernJobs
import QuernStore
import QuernWorker
import TestSupport
import Testing

/// Whole jobs, from source to manifest.
@Suite struct PipelineTests {
    private let bench: Workbench

    init() throws { bench = try Workbench() }

    enum Keeping: CaseIterable {
        case blobFolder, memory, inPlace
    }

    /// Whatever the order in which parts arrive, wherever they are kept, however many threads there are.
    @Test(arguments: [(1, 0), (1, 1), (3, 2), (2, 3)], Keeping.allCases)
    func artifactsDoNotDependOnOrder(arrangement: (slots: Int, seed: Int), keeping: Keeping) async throws {
        let blobs: any BlobStore = keeping == .memory ? MemoryBlobStore() : bench.blobs
        let pipeline = try await Pipeline(bench, blobs: blobs)
        let seed = arrangement.seed
        let service = MemoryService(pipeline.items) { ready in
            seed == 0 ? ready : ready.sorted { $0 * (7 + seed) % 11 < $1 * (7 + seed) % 11 }
        }
        try await bench.worker(
            service, blobs: blobs, parts: keeping == .inPlace ? .inPlace : .shared, slots: arrangement.slots
        ).run()
        #expect(await service.isDone)
        var found = try contents(of: bench.output)
        let published = found.removeValue(forKey: "manifest.json")
        let manifest = try #require(published)
        let report = found.removeValue(forKey: "report.html")
        #expect(found == pipeline.expected)
        let parsed = try Manifest.parse(manifest)
        #expect(
            parsed.sources == [
                Manifest.Source(
                    name: "model.gguf", size: pipeline.source.size,
                    sha256: Digest(of: [UInt8](try Data(contentsOf: URL(fileURLWithPath: pipeline.source.path)))))
            ])
        for file in parsed.artifacts.flatMap(\.files) {
            let bytes = try #require(pipeline.expected[file.name])
            #expect(file.sha256 == Digest(of: bytes) && file.size == UInt64(bytes.count))
            for tensor in file.tensors { #expect(tensor.error > 0.0001 && tensor.error < 0.2) }
        }
        #expect(try parsed.json() == manifest)
        #expect(!String(decoding: manifest, as: UTF8.self).contains(bench.folder.path))
        #expect(report == Array(Report(manifest: parsed).html().utf8))
        let verification = try Verifier.verify(folder: bench.output)
        #expect(verification.passed && verification.files == 3 && verification.tensors == 4)
    }

    @Test func manifestIsTheSameEveryTime() async throws {
        var manifests: Set<[UInt8]> = []
        for slots in [1, 3] {
            let bench = try Workbench()
            let pipeline = try await Pipeline(bench, blobs: bench.blobs)
            try await bench.worker(MemoryService(pipeline.items), slots: slots).run()
            manifests.insert(try #require(try contents(of: bench.output)["manifest.json"]))
        }
        #expect(manifests.count == 1)
    }

    @Test func damagedPartIsALostInput() async throws {
        let pipeline = try await Pipeline(bench, blobs: bench.blobs)
        let service = MemoryService(pipeline.items.filter { if case .encode = $0.payload { true } else { false } })
        try await bench.worker(service).run()
        let results = await service.results
        let inputs = Dictionary(uniqueKeysWithValues: results.enumerated().map { ($0 + 1, $1) }).compactMapValues { $0 }
        let digests = inputs.values.flatMap { result in
            if case .encode(let encoded) = result { encoded.parts.map(\.digest.hex) } else { [] }
        }
        // The Q4_K part of the first and of the second span.
        let blobs = bench.folder.path("blobs")
        var damaged: Set<Digest> = []
        for ordinal in [1, 2] {
            guard case .encode(let result)? = inputs[ordinal] else { continue }
            let digest = result.parts[0].digest
            damaged.insert(digest)
            let hex = digest.hex
            let path = "\(blobs)/sha256/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            bytes[5] ^= 4
            try bytes.write(to: URL(fileURLWithPath: path))
        }
        #expect(digests.count == 16 && damaged.count == 2)
        let assemble = MemoryService(
            [pipeline.items[9]].map { PlannedItem(payload: $0.payload, cost: 1, memory: 1, label: "assemble") },
            inputs: inputs)
        try await bench.worker(assemble).run()
        let failure = try #require(await assemble.items[0].failures.first)
        #expect(failure.class == .lostInput)
        #expect(Set(failure.blobs) == damaged)
        #expect(try contents(of: bench.output).isEmpty)
    }

    /// What an earlier process wrote in place is found again; what it did not write, or what has changed since, is
    /// found missing, and made again.
    @Test func placedPartsOutliveTheProcess() async throws {
        let pipeline = try await Pipeline(bench, blobs: bench.blobs)
        let encode = MemoryService(pipeline.items.filter { if case .encode = $0.payload { true } else { false } })
        try await bench.worker(encode, parts: .inPlace).run()
        let results = await encode.results
        let inputs = Dictionary(uniqueKeysWithValues: results.enumerated().map { ($0 + 1, $1) }).compactMapValues { $0 }
        let partials = try contents(of: bench.output)
        #expect(partials.count == 3 && partials.keys.allSatisfy { $0.contains(".gguf.partial-") })

        func assemble() async throws -> MemoryService.Item {
            let items = [pipeline.items[9]].map {
                PlannedItem(payload: $0.payload, cost: 1, memory: 1, label: "assemble")
            }
            let service = MemoryService(items, inputs: inputs)
            try await bench.worker(service, parts: .inPlace).run()
            return await service.items[0]
        }
        guard case .assemble(let work) = pipeline.items[9].payload, case .encode(let third)? = inputs[3] else {
            Issue.record("the pipeline is another")
            return
        }
        let partial = try #require(partials.keys.first { $0.hasPrefix(work.file) })
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: "\(bench.output)/\(partial)"))
        let offset = work.tensors[0].offset + 2 * third.parts[0].bytes + 5
        try handle.seek(toOffset: offset)
        let byte = try #require(try handle.read(upToCount: 1))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: [byte[byte.startIndex] ^ 1])
        let failure = try #require(try await assemble().failures.first)
        #expect(failure.class == .lostInput && failure.blobs == [third.parts[0].digest])

        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: byte)
        #expect(try await assemble().result != nil)
        #expect(try contents(of: bench.output)[work.file] == pipeline.expected[work.file])
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "needs the right to mount a file system"))
    func fullDiskIsOutOfSpace() async throws {
        let disk = try SmallDisk(bytes: 256 << 10)
        let bytes = [Float].noise(1 << 20, seed: 1).stored(as: .f32, columns: 1 << 10)
        let source = try bench.source(bytes)
        let span = Span(
            tensor: "t", extents: [Extent(origin: .file(0), offset: 0, length: source.size)], sourceType: .f32,
            columns: 1 << 10, rows: 1 << 10, firstRow: 0, outputs: [EncodeOutput(type: .q8_0)])
        let payload = WorkPayload.encode(EncodeWork(files: [source], spans: [span], encoder: "test-1"))
        let small = try await bench.run(payload, blobs: try FolderBlobStore(root: disk.path))
        #expect(small.failures.first?.class == .outOfSpace)
        #expect(try await bench.run(payload).result != nil)
    }
}
