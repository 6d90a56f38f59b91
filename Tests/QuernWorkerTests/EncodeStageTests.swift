import Foundation
import QuernFormats
import QuernJobs
import QuernKernels
import QuernStore
import TestSupport
import Testing

@Suite struct EncodeStageTests {
    private let bench: Workbench

    init() throws { bench = try Workbench() }

    private func work(
        _ source: SourceFile, type: ElementType, columns: Int, rows: Int, firstRow: Int = 0,
        strides: Strides? = nil, addend: Float? = nil, offset: UInt64 = 0, outputs: [EncodeOutput]
    ) -> EncodeWork {
        let bytes = UInt64(type.bytes(elements: columns * rows) ?? 0)
        let extents = [Extent(origin: .file(0), offset: offset, length: bytes, strides: strides)]
        let span = Span(
            tensor: "blk.0.attn_q.weight", extents: extents, sourceType: type, columns: columns, rows: rows,
            firstRow: firstRow, addend: addend, outputs: outputs)
        return EncodeWork(files: [source], spans: [span], encoder: "test-1")
    }

    private func parts(_ item: MemoryService.Item) throws -> [Part] {
        guard case .encode(let result)? = item.result else {
            throw QuernError(.internalFault, item.failures.map(\.message).joined())
        }
        return result.parts
    }

    /// 300,000 values: several chunks, the last one short.
    @Test(arguments: [ElementType.f32, .f16, .bf16], [ElementType.q8_0, .q4_K, .f16])
    func encodesWhatTheKernelsEncode(source: ElementType, target: ElementType) async throws {
        let columns = 512
        let stored = [Float].noise(columns * 600, seed: 1).stored(as: source, columns: columns)
        let file = try bench.source([1, 2, 3] + stored)
        let outputs = [EncodeOutput(type: target)]
        let item = try await bench.run(
            .encode(work(file, type: source, columns: columns, rows: 600, offset: 3, outputs: outputs)))
        let part = try #require(try parts(item).first)
        let values = source.values(stored)
        let expected = source == target ? stored : values.stored(as: target, columns: columns)
        #expect(try await bench.blobs.get(part.digest) == expected)
        #expect(part.bytes == UInt64(expected.count))
        if source == target {
            #expect(part.squaredError == 0 && part.squaredNorm == 0)
        } else {
            let decoded = target.values(expected)
            let lost = zip(values, decoded).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
            let norm = values.reduce(0.0) { $0 + Double($1) * Double($1) }
            #expect(abs(part.squaredError - lost) <= 1e-9 * norm)
            #expect(abs(part.squaredNorm - norm) <= 1e-9 * norm)
        }
    }

    /// Rounded to nearest they are brought to the type that the layout is stored from, and not where scales are searched;
    /// more rows than are searched at a time.
    @Test(arguments: [WeightStorage.Layout.gptq, .awq, .compressedTensors], [false, true])
    func roundsWhatTheKernelsRound(_ layout: WeightStorage.Layout, _ searches: Bool) async throws {
        let (columns, rows) = (256, 264)
        let format = WeightFormat.packed(bits: 4, group: 128, isSymmetric: layout != .awq)
        let storage = WeightStorage(format, layout: layout)
        let weight = QuantizedWeight(
            storage: storage, source: .f32, rows: rows, rounding: QuantizedWeight.Rounding(searches: searches))
        let values = [Float].noise(columns * rows, seed: 3)
        let file = try bench.source(values.stored(as: .f32, columns: columns))
        let components = storage.components.filter(\.hasRows)
        let item = try await bench.run(
            .encode(
                work(
                    file, type: .f32, columns: columns, rows: rows,
                    outputs: components.map { EncodeOutput(encoding: .component($0, weight)) })))

        let brought = searches || layout == .compressedTensors ? values : values.map { Float(Float16($0)) }
        let memory = Dictionary(
            uniqueKeysWithValues: format.rowComponents.map {
                let bytes = WeightStorage(format).bytes(of: $0, rows: rows, columns: columns, source: weight.scaleType)
                return ($0, UnsafeMutableRawBufferPointer.allocate(byteCount: bytes ?? 0, alignment: 16))
            })
        defer { for bytes in memory.values { bytes.deallocate() } }
        let step = searches ? Kernels.fittedRows : rows
        let room = UnsafeMutableBufferPointer<Float>.allocate(
            capacity: Kernels.fittingScratch(format, source: weight.scaleType, columns: columns))
        defer { room.deallocate() }
        for first in stride(from: 0, to: rows, by: step) {
            let end = min(rows, first + step)
            let parts = memory.mapValues { bytes in
                UnsafeMutableRawBufferPointer(
                    rebasing: bytes[(bytes.count * first / rows)..<(bytes.count * end / rows)])
            }
            Array(brought[first * columns..<end * columns]).withUnsafeBufferPointer { values in
                if searches {
                    Kernels.fit(
                        format, source: weight.scaleType, rows: values, columns: columns, scratch: room, into: parts)
                } else {
                    Kernels.quantize(format, source: weight.scaleType, rows: values, columns: columns, into: parts)
                }
            }
        }
        let expected = Kernels.stored(storage, memory.mapValues { Array($0) }, rows: rows, columns: columns)
        for (component, part) in zip(components, try parts(item)) {
            let isEqual = try await bench.blobs.get(part.digest) == expected[component]
            #expect(isEqual, "\(component)")
        }
    }

    @Test func severalOutputsOfOneSpanKeepTheirOrder() async throws {
        let stored = [Float].noise(256 * 4, seed: 2).stored(as: .f32, columns: 256)
        let types: [ElementType] = [.q6_K, .f32, .q4_0]
        let file = try bench.source(stored)
        let item = try await bench.run(
            .encode(work(file, type: .f32, columns: 256, rows: 4, outputs: types.map { EncodeOutput(type: $0) })))
        let parts = try parts(item)
        for (part, type) in zip(parts, types) {
            let expected = type == .f32 ? stored : ElementType.f32.values(stored).stored(as: type, columns: 256)
            #expect(try await bench.blobs.get(part.digest) == expected)
        }
        #expect(parts.count == 3)
    }

    @Test(arguments: [4, 8, 64]) func rowsAreInterleaved(size: Int) async throws {
        let columns = 32
        let values = [Float].noise(columns * 128, seed: 3)
        let file = try bench.source(values.stored(as: .f32, columns: columns))
        let item = try await bench.run(
            .encode(
                work(
                    file, type: .f32, columns: columns, rows: 128,
                    strides: .interleavedHalves(rowBytes: 4 * columns, size: size),
                    outputs: [EncodeOutput(type: .f32), EncodeOutput(type: .q8_0)])))
        var expected: [Float] = []
        for row in 0..<128 {
            let (group, place) = (row / size, row % size)
            let from = group * size + place % 2 * size / 2 + place / 2
            expected += values[from * columns..<(from + 1) * columns]
        }
        let parts = try parts(item)
        #expect(try await bench.blobs.get(parts[0].digest) == expected.stored(as: .f32, columns: columns))
        #expect(try await bench.blobs.get(parts[1].digest) == expected.stored(as: .q8_0, columns: columns))
    }

    @Test func valuesOfOneDimensionAreInterleaved() async throws {
        let values: [Float] = [0, 1, 2, 3, 10, 11, 12, 13]
        let file = try bench.source(values.stored(as: .f32, columns: 8))
        let item = try await bench.run(
            .encode(
                work(
                    file, type: .f32, columns: 8, rows: 1, strides: .interleavedHalves(rowBytes: 4, size: 4),
                    outputs: [EncodeOutput(type: .f32)])))
        let expected: [Float] = [0, 2, 1, 3, 10, 12, 11, 13]
        #expect(try await bench.blobs.get(try parts(item)[0].digest) == expected.stored(as: .f32, columns: 8))
    }

    /// Norms that are stored less one, in F32 as well, and under a name of their own in the cache.
    @Test(arguments: [ElementType.f32, .bf16]) func numbersAreAdded(source: ElementType) async throws {
        let stored = [Float].noise(64, seed: 11).stored(as: source, columns: 64)
        let file = try bench.source(stored)
        var keys: Set<Digest> = []
        for addend in [nil, 1, 2] as [Float?] {
            let payload = WorkPayload.encode(
                work(
                    file, type: source, columns: 64, rows: 1, addend: addend, outputs: [EncodeOutput(type: .f32)]))
            let service = MemoryService([PlannedItem(payload: payload, cost: 1, memory: 1, label: "item")])
            try await bench.worker(service).run()
            let part = try #require(try parts(await service.items[0]).first)
            let expected = source.values(stored).map { $0 + (addend ?? 0) }
            #expect(try await bench.blobs.get(part.digest) == expected.stored(as: .f32, columns: 64))
            keys.formUnion(await service.cache.keys)
        }
        #expect(keys.count == 3)
    }

    /// Rows 3 to 10 of a tensor whose matrices have 4 rows each: three matrices take part.
    @Test func everyRowUsesTheVectorOfItsMatrix() async throws {
        let columns = 256
        let values = [Float].noise(columns * 8, seed: 4)
        let weights = [Float].noise(columns * 3, seed: 5).map { $0 * $0 }
        let digest = try await bench.blobs.put(weights.stored(as: .f32, columns: columns))
        let file = try bench.source(values.stored(as: .f32, columns: columns))
        let importance = Importance(digest: digest, rowsPerMatrix: 4)
        let item = try await bench.run(
            .encode(
                work(
                    file, type: .f32, columns: columns, rows: 8, firstRow: 3,
                    outputs: [EncodeOutput(type: .q4_K, importance: importance)])))
        let expected = (0..<8).flatMap { row in
            let matrix = (row + 3) / 4
            return Array(values[row * columns..<(row + 1) * columns]).stored(
                as: .q4_K, columns: columns, importance: Array(weights[matrix * columns..<(matrix + 1) * columns]))
        }
        #expect(try await bench.blobs.get(try parts(item)[0].digest) == expected)
    }

    @Test func extentsAndComputedValuesAreJoined() async throws {
        let values = [Float].noise(64, seed: 6)
        let stored = values.stored(as: .f32, columns: 32)
        let file = try bench.source(Array(stored[..<100]))
        let rest = try await bench.blobs.put([9, 9] + stored[100...])
        let span = Span(
            tensor: "t",
            extents: [
                Extent(origin: .file(0), offset: 0, length: 100),
                Extent(origin: .blob(rest), offset: 2, length: UInt64(stored.count - 100)),
            ], sourceType: .f32, columns: 32, rows: 2, firstRow: 0,
            outputs: [EncodeOutput(type: .q8_0)])
        let item = try await bench.run(.encode(EncodeWork(files: [file], spans: [span], encoder: "test-1")))
        #expect(try await bench.blobs.get(try parts(item)[0].digest) == values.stored(as: .q8_0, columns: 32))
    }

    @Test func whatIsKnownIsNotMadeAgainUnlessItsBlobIsGone() async throws {
        let file = try bench.source([Float].noise(256, seed: 7).stored(as: .f32, columns: 256))
        let payload = WorkPayload.encode(
            work(file, type: .f32, columns: 256, rows: 1, outputs: [EncodeOutput(type: .q4_K)]))
        let planned = [PlannedItem(payload: payload, cost: 1, memory: 1, label: "item")]
        let first = MemoryService(planned)
        try await bench.worker(first).run()
        let cache = await first.cache
        #expect(cache.count == 1)
        let genuine = try #require(cache.first)

        // A wrong sum shows that the part was taken over and not computed.
        let marked = Part(digest: genuine.value.digest, bytes: genuine.value.bytes, squaredError: 42, squaredNorm: 43)
        let second = MemoryService(planned)
        await second.adopt([genuine.key: marked])
        try await bench.worker(second).run()
        #expect(try parts(await second.items[0]) == [marked])

        try FileManager.default.removeItem(atPath: bench.folder.path("blobs/sha256"))
        let third = MemoryService(planned)
        await third.adopt([genuine.key: marked])
        try await bench.worker(third).run()
        #expect(try parts(await third.items[0]) == [genuine.value])
        #expect(try await bench.blobs.contains(genuine.value.digest))
    }

    @Test func changedSourceIsPermanent() async throws {
        let file = try bench.source([Float].noise(256, seed: 8).stored(as: .f32, columns: 256))
        let changed = SourceFile(path: file.path, name: file.name, size: file.size, modified: file.modified - 1)
        let item = try await bench.run(
            .encode(work(changed, type: .f32, columns: 256, rows: 1, outputs: [EncodeOutput(type: .q4_K)])))
        #expect(item.failures.first?.class == .permanent)
        #expect(item.failures.first?.message.contains("has changed since the job was planned") == true)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func valueThatIsNotFiniteIsNamed(value: Float) async throws {
        var values = [Float].noise(256 * 1000, seed: 9)
        values[256 * 777 + 13] = value
        let file = try bench.source(values.stored(as: .f32, columns: 256))
        let quantized = work(
            file, type: .f32, columns: 256, rows: 1000, firstRow: 5, outputs: [EncodeOutput(type: .q8_0)])
        let failure = try #require(try await bench.run(.encode(quantized)).failures.first)
        #expect(failure.class == .permanent)
        #expect(failure.message.hasPrefix("blk.0.attn_q.weight: the value \(value) at row 782, column 13 "))
        // Types that can hold it, do.
        let kept = work(file, type: .f32, columns: 256, rows: 1000, outputs: [EncodeOutput(type: .f16)])
        #expect(try parts(try await bench.run(.encode(kept))).count == 1)
    }

    @Test func missingImportanceIsALostInput() async throws {
        let file = try bench.source([Float].noise(256, seed: 10).stored(as: .f32, columns: 256))
        let absent = Digest(of: [1])
        let output = EncodeOutput(type: .q4_K, importance: Importance(digest: absent, rowsPerMatrix: 1))
        let item = try await bench.run(.encode(work(file, type: .f32, columns: 256, rows: 1, outputs: [output])))
        #expect(item.failures.first?.class == .lostInput)
        #expect(item.failures.first?.blobs == [absent])
    }
}
