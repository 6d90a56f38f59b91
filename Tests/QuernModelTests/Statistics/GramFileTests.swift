import QuernFormats
import QuernModel
import QuernPlanning
import TestSupport
import Testing

/// Gram matrices in statistics files.
struct GramFileTests {
    /// Blocks of 2, 2 and 1 of 5 channels, and whole matrices of 3 experts with 4.
    static func statistics(seed: UInt64 = 1, columns: [Int] = [2, 4]) throws -> ModelStatistics {
        var generator = SeededGenerator(seed: seed)
        let plain = StatisticsFileTests.statistics(seed: seed)
        let inputs = try zip(plain.inputs, columns).map { input, columns in
            var input = input
            let layout = try #require(GramLayout(channels: input.channels, blockColumns: columns))
            // As they come back from single precision.
            input.gram = GramMatrices(
                layout: layout,
                values: (0..<input.matrices * layout.values).map { _ in
                    Double(Float.random(in: 0...9, using: &generator))
                })
            return input
        }
        return ModelStatistics(
            origin: plain.origin, arithmetic: plain.arithmetic, chunks: plain.chunks, inputs: inputs)
    }

    @Test func whatIsWrittenIsRead() throws {
        let statistics = try Self.statistics()
        let bytes = try StatisticsFile.bytes(statistics)
        #expect(try StatisticsFileTests.read(bytes) == statistics)
        let header = try SafetensorsHeader.read(from: MemoryByteSource(bytes, name: "s"))
        #expect(header.metadata["gram_columns"] == "2\n4")
        let tensors = header.tensors.filter { $0.name.hasSuffix(".gram") }
        #expect(tensors.map(\.type) == [.f32, .f32] && tensors.map(\.shape) == [[1, 7], [3, 10]])
    }

    @Test func squares() throws {
        let layout = try #require(GramLayout(channels: 5, blockColumns: 2))
        let gram = GramMatrices(layout: layout, values: [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17])
        #expect(gram.square(block: 0) == [1, 2, 2, 3])
        #expect(gram.square(block: 2) == [7])
        #expect(gram.square(matrix: 1, block: 1) == [14, 15, 15, 16])
        let diagonal: [Double] = [1, 3, 4, 6, 7, 11, 13, 14, 16, 17]
        #expect(gram.diagonal == diagonal)
    }

    @Test(arguments: [
        (#""gram_columns":"2\n4""#, #""gram_columns":"3\n4""#, "gram in F32 [1, 9]"),
        (#""gram_columns":"2\n4""#, #""gram_columns":"0\n4""#, "blocks of 0 columns"),
        (#""gram_columns":"2\n4""#, #""gram_columns":"9\n4""#, "blocks of 9 columns"),
        (#""gram_columns":"2\n4""#, #""gram_columns":"x\n4""#, "'gram_columns'"),
        (#""gram_columns":"2\n4""#, #""gram_columns":"2224""#, "'gram_columns'"),
        (#""gram_columns":"2\n4""#, #""Gram_columns":"2\n4""#, "does not list the inputs"),
        (#"attn_q.weight.gram""#, #"attn_q.weight.gRam""#, "gram in F32"),
        (#"gram":{"dtype":"F32","shape":[3,10]"#, #"gram":{"dtype":"F32","shape":[10,3]"#, "gram in F32"),
        (#"gram":{"dtype":"F32","#, #"gram":{"dtype":"I32","#, "gram in F32"),
    ])
    func contradictions(part: String, other: String, message: String) throws {
        let bytes = try StatisticsFile.bytes(Self.statistics())
        let length = Int(bytes[0]) | Int(bytes[1]) << 8
        let text = String(decoding: bytes[8..<8 + length], as: UTF8.self)
            .replacing(#"\u000a"#, with: #"\n"#)
        let padded = text + String(repeating: " ", count: length - text.utf8.count)
        let changed = padded.replacing(part, with: other, maxReplacements: 1)
        #expect(changed != padded)
        #expect(changed.utf8.count == length)
        let error = #expect(throws: QuernError.self) {
            try StatisticsFileTests.read(bytes[..<8] + Array(changed.utf8) + bytes[(8 + length)...])
        }
        #expect(error?.message.contains(message) == true, "\(error as Any)")
    }

    @Test(arguments: [Float.nan, .infinity, -1])
    func impossibleSquaresAreRefused(value: Float) throws {
        let statistics = try Self.statistics()
        let gram = try #require(statistics.inputs[0].gram)
        var input = statistics.inputs[0]
        input.gram = GramMatrices(layout: gram.layout, values: [Double(value)] + Array(gram.values.dropFirst()))
        let wrong = ModelStatistics(
            origin: statistics.origin, arithmetic: [], chunks: 1, inputs: [input, statistics.inputs[1]])
        #expect(throws: QuernError.self) { try StatisticsFileTests.read(StatisticsFile.bytes(wrong)) }
        if value > 0 || value.isNaN { #expect(throws: QuernError.self) { try wrong.checkFinite() } }
    }

    @Test func additionIsByElement() throws {
        var sum = try Self.statistics(seed: 1)
        let first = try #require(sum.inputs[1].gram)
        let other = try Self.statistics(seed: 2)
        let second = try #require(other.inputs[1].gram)
        try sum.add(other)
        #expect(sum.inputs[1].gram?.values == zip(first.values, second.values).map { $0 + $1 })
    }

    @Test func otherBlocksAreRefused() throws {
        var sum = try Self.statistics()
        #expect(throws: QuernError.self) { try sum.add(Self.statistics(columns: [3, 4])) }
        #expect(throws: QuernError.self) { try sum.add(StatisticsFileTests.statistics()) }
    }

    @Test func allInputsOrNone() throws {
        let statistics = try Self.statistics()
        let mixed = ModelStatistics(
            origin: statistics.origin, arithmetic: [], chunks: 1,
            inputs: [statistics.inputs[0], StatisticsFileTests.statistics().inputs[1]])
        #expect(throws: QuernError.self) { try StatisticsFile.bytes(mixed) }
    }

    @Test func reportsSayHowLargeTheyAre() throws {
        let gram = try #require(ImatrixReport(Self.statistics()).gram)
        #expect(gram.inputs == 2 && gram.whole == 1 && gram.widestBlock == 4 && gram.bytes == 148)
        #expect(ImatrixReport(StatisticsFileTests.statistics()).gram == nil)
    }
}
