import QuernFormats
import QuernModel
import QuernStore
import TestSupport
import Testing

struct StatisticsFileTests {
    static func statistics(seed: UInt64 = 1, chunks: Int = 3) -> ModelStatistics {
        var generator = SeededGenerator(seed: seed)
        let inputs = [
            ("blk.1.ffn_up_exps.weight", ["blk.1.ffn_gate_exps.weight", "blk.1.ffn_up_exps.weight"], 4, 3),
            ("blk.0.attn_q.weight", ["blk.0.attn_q.weight"], 5, 1),
        ].map { name, tensors, channels, matrices in
            var input = InputStatistics(name: name, tensors: tensors, channels: channels, matrices: matrices)
            for matrix in 0..<matrices { input.counts[matrix] = Int64(100 * matrix + 7) }
            for place in input.squares.indices {
                input.squares[place] = Double.random(in: 0...1e6, using: &generator)
                input.magnitudes[place] = Double.random(in: 0...1e3, using: &generator)
                input.maxima[place] = Float.random(in: 0...9, using: &generator)
            }
            return input
        }
        return ModelStatistics(
            origin: .init(
                architecture: "llama", files: ["12 a b.safetensors", "9 c.safetensors"],
                text: Digest(of: Array("t".utf8)),
                chunkTokens: 512), arithmetic: ["single precision, AVX2"], chunks: chunks, inputs: inputs)
    }

    static func read(_ bytes: [UInt8]) throws -> ModelStatistics {
        try StatisticsFile.read(from: MemoryByteSource(bytes, name: "s"))
    }

    @Test func whatIsWrittenIsRead() throws {
        let statistics = Self.statistics()
        #expect(statistics.inputs.map(\.name) == ["blk.0.attn_q.weight", "blk.1.ffn_up_exps.weight"])
        #expect(try Self.read(StatisticsFile.bytes(statistics)) == statistics)
    }

    @Test func isAPlainSafetensorsFile() throws {
        let header = try SafetensorsHeader.read(
            from: MemoryByteSource(StatisticsFile.bytes(Self.statistics()), name: "s"))
        #expect(
            header.tensors.map(\.name)
                == ["blk.0.attn_q.weight", "blk.1.ffn_up_exps.weight"].flatMap { name in
                    ["count", "max_abs", "sum_abs", "sum_squares"].map { "\(name).\($0)" }
                })
        #expect(header.tensors.map(\.type) == [.i64, .f32, .f64, .f64, .i64, .f32, .f64, .f64])
        #expect(header.tensors.map(\.shape) == [[1], [1, 5], [1, 5], [1, 5], [3], [3, 4], [3, 4], [3, 4]])
        #expect(header.metadata["chunks"] == "3" && header.metadata["chunk_tokens"] == "512")
    }

    @Test(arguments: [false, true]) func anyDamageIsAnErrorOrOtherNumbers(withGramMatrices: Bool) throws {
        let bytes = try StatisticsFile.bytes(withGramMatrices ? GramFileTests.statistics() : Self.statistics())
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<3000 {
            var damaged = bytes
            damaged[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            do {
                _ = try Self.read(damaged)
            } catch let error as QuernError {
                #expect(error.location.hasPrefix("s"))
            }
        }
        for length in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: QuernError.self) { try Self.read(Array(bytes[..<length])) }
        }
    }

    @Test(arguments: [
        ("quern-statistics-1", "quern-statistics-2"), ("\"chunks\":\"3\"", "\"chunks\":\"0\""),
        ("\"chunk_tokens\":\"512\"", "\"chunk_tokens\":\"5x2\""), ("[3,4]", "[4,3]"), ("F64", "I64"), ("I64", "U64"),
        ("blk.0.attn_q.weight.count", "blk.0.attn_q.weight.cOunt"),
    ])
    func contradictions(part: String, other: String) throws {
        let bytes = try StatisticsFile.bytes(Self.statistics())
        let length = Int(bytes[0]) | Int(bytes[1]) << 8
        let text = String(decoding: bytes[8..<8 + length], as: UTF8.self)
        let changed = text.replacing(part, with: other, maxReplacements: 1)
        #expect(changed != text && changed.utf8.count == text.utf8.count)
        #expect(throws: QuernError.self) { try Self.read(bytes[..<8] + Array(changed.utf8) + bytes[(8 + length)...]) }
    }

    @Test func additionIsByElement() throws {
        var sum = Self.statistics(seed: 1, chunks: 8)
        let other = Self.statistics(seed: 2, chunks: 1)
        let first = sum.inputs[1]
        try sum.add(other)
        #expect(sum.chunks == 9)
        #expect(sum.inputs[1].counts == zip(first.counts, other.inputs[1].counts).map { $0 + $1 })
        #expect(sum.inputs[1].squares == zip(first.squares, other.inputs[1].squares).map { $0 + $1 })
        #expect(sum.inputs[1].maxima == zip(first.maxima, other.inputs[1].maxima).map { max($0, $1) })
    }

    @Test func otherOriginsAreRefused() throws {
        let other = Self.statistics()
        for origin: ModelStatistics.Origin in [
            .init(architecture: "qwen2", files: other.origin.files, text: other.origin.text, chunkTokens: 512),
            .init(architecture: "llama", files: [], text: other.origin.text, chunkTokens: 512),
            .init(architecture: "llama", files: other.origin.files, text: Digest(of: []), chunkTokens: 512),
            .init(architecture: "llama", files: other.origin.files, text: other.origin.text, chunkTokens: 256),
        ] {
            var sum = ModelStatistics(origin: origin, arithmetic: [], chunks: 1, inputs: other.inputs)
            #expect(throws: QuernError.self) { try sum.add(other) }
        }
        var fewer = ModelStatistics(
            origin: other.origin, arithmetic: [], chunks: 1, inputs: Array(other.inputs.prefix(1)))
        #expect(throws: QuernError.self) { try fewer.add(other) }
    }

    @Test func machinesThatTookPartAreListed() throws {
        var sum = Self.statistics()
        try sum.add(
            ModelStatistics(
                origin: sum.origin, arithmetic: ["other", "single precision, AVX2"], chunks: 1, inputs: sum.inputs))
        #expect(sum.arithmetic == ["other", "single precision, AVX2"])
    }

    @Test(arguments: [Double.nan, .infinity])
    func whatIsNotFiniteIsNamed(value: Double) throws {
        var input = InputStatistics(name: "blk.0.x", tensors: ["blk.0.x"], channels: 2, matrices: 1)
        input.squares[1] = value
        let statistics = ModelStatistics(
            origin: Self.statistics().origin, arithmetic: [], chunks: 1, inputs: [input])
        let error = #expect(throws: QuernError.self) { try statistics.checkFinite() }
        #expect(error?.location == "blk.0.x")
    }

    @Test func imatrixEntries() {
        var experts = InputStatistics(
            name: "blk.0.ffn_up_exps.weight", tensors: ["blk.0.ffn_gate_exps.weight", "blk.0.ffn_up_exps.weight"],
            channels: 1, matrices: 2)
        experts.counts = [3, 0]
        experts.squares = [6, 0]
        var heads = InputStatistics(
            name: "blk.0.attn_k_b.weight", tensors: ["blk.0.attn_k_b.weight"], channels: 1, matrices: 2)
        heads.counts = [512, 512]
        heads.squares = [1, 2]
        let file = ModelStatistics(
            origin: Self.statistics().origin, arithmetic: [], chunks: 2, inputs: [experts, heads]
        ).imatrix(dataset: "t.txt")
        #expect(
            file
                == ImatrixFile(
                    entries: [
                        "blk.0.ffn_up_exps.weight": .init(sums: [6, 0], counts: [3, 0]),
                        "blk.0.ffn_gate_exps.weight": .init(sums: [6, 0], counts: [3, 0]),
                        "blk.0.attn_k_b.weight": .init(sums: [1, 2], counts: [512]),
                    ], datasets: ["t.txt"], chunkCount: 2, chunkTokens: 512))
    }
}
