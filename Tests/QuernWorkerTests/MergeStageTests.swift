import Foundation
import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore
import TestSupport
import Testing

@Suite struct MergeStageTests {
    private let bench: Workbench
    static let text = Digest(of: Array("text".utf8))

    init() throws { bench = try Workbench() }

    private static func statistics(_ seed: Double, chunks: Int = 1) -> ModelStatistics {
        var input = InputStatistics(
            name: "blk.0.attn_k.weight", tensors: ["blk.0.attn_k.weight", "blk.0.attn_q.weight"], channels: 256,
            matrices: 1)
        input.counts = [512]
        for channel in 0..<256 { input.squares[channel] = seed * Double(channel % 5) + 0.1 }
        return ModelStatistics(
            origin: .init(architecture: "llama", files: ["1 m"], text: text, chunkTokens: 512),
            arithmetic: ["single precision"], chunks: chunks, inputs: [input])
    }

    private func merge(_ groups: [ModelStatistics?], chunks: Int) async throws -> MemoryService.Item {
        let service = try await service(groups, chunks: chunks)
        try await bench.worker(service).run()
        return await service.items[0]
    }

    /// A job whose groups are calibrated and not yet merged.
    private func service(
        _ groups: [ModelStatistics?], chunks: Int, cache: [Digest: Part] = [:]
    ) async throws -> MemoryService {
        var inputs: [Int: WorkResult] = [
            0: .tokenize(
                TokenizeResult(
                    tokens: Digest(of: []), chunks: chunks, text: Self.text, distinctTokens: 9, vocabulary: 10_000))
        ]
        for (index, group) in groups.enumerated() {
            var pieces: [Digest] = []
            if let group {
                // In two blobs, as those of large models.
                let bytes = try StatisticsFile.bytes(group)
                for piece in [bytes[..<100], bytes[100...]] { pieces.append(try await bench.blobs.put(Array(piece))) }
            }
            inputs[index + 1] = .calibrate(CalibrateResult(statistics: pieces))
        }
        let work = MergeWork(tokens: 0, groups: Array(1...groups.count), memory: 1)
        return MemoryService(
            [PlannedItem(payload: .merge(work), cost: 1, memory: 1, label: "merge")], inputs: inputs, cache: cache)
    }

    private func remove(_ digest: Digest) throws {
        let path = bench.folder.path("blobs") + "/sha256/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2).prefix(2))"
        for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasPrefix(digest.hex) {
            try FileManager.default.removeItem(atPath: "\(path)/\(name)")
        }
    }

    private func result(_ item: MemoryService.Item) throws -> MergeResult {
        guard case .merge(let result)? = item.result else {
            throw QuernError(.internalFault, item.failures.map(\.message).joined())
        }
        return result
    }

    @Test func groupsAreAddedInOrder() async throws {
        // In another order the last digits would differ.
        let groups = [Self.statistics(1e9), Self.statistics(0.3), Self.statistics(0.7)]
        let result = try result(try await merge([groups[0], groups[1], nil, groups[2], nil], chunks: 3))
        var sum = groups[0]
        try sum.add(groups[1])
        try sum.add(groups[2])
        let bytes = try StatisticsFile.bytes(sum)
        #expect(result.sha256 == Digest(of: bytes) && result.chunks == 3)
        #expect(try await bench.blobs.get(try #require(result.statistics.first)) == bytes)
        let index = try VectorIndex(bytes: try await bench.blobs.get(result.index))
        let expected = try sum.imatrix(dataset: "").importanceMatrix()
        #expect(Set(index.vectors.keys) == ["blk.0.attn_k.weight", "blk.0.attn_q.weight"])
        for (name, digest) in index.vectors {
            #expect(try await bench.blobs.get(digest) == expected.entries[name]?.bytes)
        }
    }

    /// By a later job on the same groups, as long as all that was made of them is there.
    @Test func mergedStatisticsAreFoundAgain() async throws {
        let groups = [Self.statistics(1), Self.statistics(2)]
        let first = try await service(groups, chunks: 2)
        try await bench.worker(first).run()
        let merged = try result(await first.items[0])
        let cache = await first.cache
        #expect(cache.count == 1)

        // What they were made of is not looked at.
        let later = try await service(groups, chunks: 2, cache: cache)
        for group in groups { try remove(Digest(of: Array(StatisticsFile.bytes(group)[100...]))) }
        try await bench.worker(later).run()
        #expect(try result(await later.items[0]) == merged)

        let vectors = try VectorIndex(bytes: try await bench.blobs.get(merged.index)).vectors
        for digest in try [#require(merged.statistics.first), merged.index, #require(vectors.values.first)] {
            try remove(digest)
            let again = try await service(groups, chunks: 2, cache: cache)
            try await bench.worker(again).run()
            #expect(try result(await again.items[0]) == merged)
            #expect(try await bench.blobs.contains(digest))
        }
        // Another order of the text is another sum.
        let other = try await service(groups.reversed(), chunks: 2, cache: cache)
        try await bench.worker(other).run()
        #expect(await other.cache.count == 2)
    }

    /// What a report on the statistics says, with the experts that nothing reached.
    @Test func theTextIsJudged() async throws {
        let plain = Self.statistics(1)
        var experts = InputStatistics(
            name: "blk.1.ffn_down_exps.weight", tensors: ["blk.1.ffn_down_exps.weight"], channels: 256, matrices: 4)
        experts.counts = [100, 0, 412, 0]
        let statistics = ModelStatistics(
            origin: plain.origin, arithmetic: plain.arithmetic, chunks: 1, inputs: plain.inputs + [experts])
        let warnings = try result(try await merge([statistics], chunks: 1)).warnings
        #expect(warnings.count == 3 && warnings[0].hasPrefix("little text: 512 tokens"), "\(warnings)")
        #expect(warnings[1].hasPrefix("uniform text: only 9"))
        #expect(warnings[2].contains("2 of 4 in blk.1.ffn_down_exps.weight"))
        var matrix = statistics.imatrix(dataset: nil)
        matrix.text = .init(distinctTokens: 9, vocabulary: 10_000)
        #expect(ImatrixReport(matrix).warnings == warnings)
    }

    @Test func gramMatricesAreAddedToo() async throws {
        let groups = [1.0, 2.0].map { seed -> ModelStatistics? in
            let plain = Self.statistics(seed)
            var input = plain.inputs[0]
            let layout = GramLayout(channels: 256, widest: 128)
            input.gram = GramMatrices(layout: layout, values: (0..<layout.values).map { seed * Double($0 % 7) })
            return ModelStatistics(origin: plain.origin, arithmetic: plain.arithmetic, chunks: 1, inputs: [input])
        }
        let result = try result(try await merge(groups, chunks: 2))
        let bytes = try await bench.blobs.get(try #require(result.statistics.first))
        let sum = try StatisticsFile.read(from: MemoryByteSource(bytes, name: "s"))
        let values = try #require(sum.inputs[0].gram?.values)
        let expected = (0..<16_512).map { place -> Double in 3 * Double(place % 7) }
        #expect(values == expected)
        // The digest that manifests name covers them.
        let plain = try self.result(try await merge([Self.statistics(1), Self.statistics(2)], chunks: 2))
        #expect(result.sha256 == Digest(of: bytes) && result.sha256 != plain.sha256)
        #expect(result.index == plain.index)
    }

    @Test func missingChunksAreAFault() async throws {
        let item = try await merge([Self.statistics(1), nil], chunks: 2)
        #expect(item.failures.first?.class == .permanent)
        #expect(item.failures.first?.message.contains("statistics of 1 chunks, the text has 2") == true)
    }

    @Test func encodersTakeTheirVectors() async throws {
        let merged = try result(try await merge([Self.statistics(3)], chunks: 1))
        let stored = [Float].noise(256 * 4, seed: 1).stored(as: .f32, columns: 256)
        let file = try bench.source(stored)
        func work(_ importance: Importance) -> WorkPayload {
            .encode(
                EncodeWork(
                    files: [file],
                    spans: [
                        Span(
                            tensor: "blk.0.attn_q.weight",
                            extents: [Extent(origin: .file(0), offset: 0, length: UInt64(stored.count))],
                            sourceType: .f32, columns: 256, rows: 4, firstRow: 0,
                            outputs: [EncodeOutput(type: .q4_K, importance: importance)])
                    ], encoder: "test-1"))
        }
        let index = try VectorIndex(bytes: try await bench.blobs.get(merged.index))
        let vectors = try #require(index.vectors["blk.0.attn_q.weight"])
        let reference = try await bench.run(work(Importance(digest: vectors, rowsPerMatrix: 4)))
        let payload = work(
            Importance(vectors: .merged(item: 7, tensor: "blk.0.attn_q.weight"), rowsPerMatrix: 4))
        let items = [PlannedItem(payload: payload, cost: 1, memory: 1, label: "encode")]
        let service = MemoryService(items, inputs: [7: .merge(merged)])
        try await bench.worker(service).run()
        #expect(await service.items[0].result == reference.result)
        // Found again by the content of the vectors, wherever they come from.
        let keys = Set(await service.cache.keys)
        let plain = MemoryService(
            [
                PlannedItem(
                    payload: work(Importance(digest: vectors, rowsPerMatrix: 4)), cost: 1, memory: 1, label: "encode")
            ])
        try await bench.worker(plain).run()
        let plainKeys = Set(await plain.cache.keys)
        #expect(keys.count == 1 && plainKeys == keys)

        // What is lost is brought back by the merge item, which its result names by the index.
        try remove(vectors)
        let again = MemoryService(items, inputs: [7: .merge(merged)])
        let worker = Task { try await bench.worker(again, exitWhenIdle: nil).run() }
        await again.wait { !$0.items[0].failures.isEmpty }
        worker.cancel()
        try await worker.value
        let failure = try #require(await again.items[0].failures.first)
        #expect(failure.class == .lostInput && Set(failure.blobs) == [vectors, merged.index])
        #expect(failure.blobs.contains(where: WorkResult.merge(merged).blobs.contains))
    }
}
