import QuernFormats
import QuernJobs
import QuernModel
import QuernPlanning
import QuernStore
import TestSupport
import Testing

/// Balances of inputs, and what is encoded by them.
@Suite struct BalanceStageTests {
    private let bench: Workbench
    private static let channels = 64
    private static let rows = 96
    private static let loud = 5

    init() throws { bench = try Workbench() }

    /// Of inputs of which one is much larger than the others.
    private static var statistics: ModelStatistics {
        let layout = GramLayout(channels: channels, widest: channels)
        var input = InputStatistics(
            name: "blk.0.attn_q.weight", tensors: ["blk.0.attn_q.weight"], channels: channels, matrices: 1)
        let sizes = (0..<channels).map { $0 == loud ? 40.0 : 1 + Double($0 % 3) / 4 }
        input.counts = [1000]
        input.magnitudes = sizes.map { 800 * $0 }
        input.squares = sizes.map { 1000 * $0 * $0 }
        input.maxima = sizes.map { Float(4 * $0) }
        var values: [Double] = []
        for row in 0..<channels {
            for column in row..<channels { values.append(row == column ? 1000 * sizes[row] * sizes[row] : 0) }
        }
        input.gram = GramMatrices(layout: layout, values: values)
        return ModelStatistics(
            origin: .init(architecture: "llama", files: ["1 m"], text: Digest(of: [1]), chunkTokens: 512),
            arithmetic: ["single precision"], chunks: 1, inputs: [input])
    }

    /// Small where the input is large, as trained weights are; exact in BF16.
    private static let weights = ElementType.bf16.values(
        [Float].noise(rows * channels, seed: 4).enumerated().map { $0 % channels == loud ? $1 / 40 : $1 }
            .stored(as: .bf16, columns: channels))
    private static let norm = ElementType.bf16.values(
        [Float].noise(channels, seed: 5).map { 1 + $0 }.stored(as: .bf16, columns: channels))

    private func run(_ payload: WorkPayload, _ inputs: [Int: WorkResult]) async throws -> WorkResult {
        let service = MemoryService(
            [PlannedItem(payload: payload, cost: 1, memory: 1, label: "item")], inputs: inputs)
        try await bench.worker(service).run()
        let item = await service.items[0]
        guard let result = item.result else {
            throw QuernError(.internalFault, item.failures.map(\.message).joined())
        }
        return result
    }

    private func span(_ columns: Int, _ rows: Int, at offset: Int, outputs: [EncodeOutput] = []) -> Span {
        let length = UInt64(2 * columns * rows)
        return Span(
            tensor: "t", extents: [Extent(origin: .file(0), offset: UInt64(offset), length: length)],
            sourceType: .bf16, columns: columns, rows: rows, firstRow: 0, outputs: outputs)
    }

    /// The weights, then the norm.
    private func file() throws -> SourceFile {
        try bench.source(
            Self.weights.stored(as: .bf16, columns: Self.channels) + Self.norm.stored(as: .bf16, columns: Self.channels)
        )
    }

    private var normOffset: Int { 2 * Self.rows * Self.channels }

    private func balance(
        _ rule: BalanceWork.Rule, _ encoding: PartEncoding, norm: Bool = true
    ) async throws -> (BalanceResult, [Float]) {
        let pieces = [try await bench.blobs.put(StatisticsFile.bytes(Self.statistics))]
        let merged = MergeResult(
            sha256: Digest(of: []), statistics: pieces, index: Digest(of: []), chunks: 1, coverage: [])
        let reader = BalanceWork.Reader(span: span(Self.channels, Self.rows, at: 0), encoding: encoding)
        let work = BalanceWork(
            files: [try file()],
            input: StatisticsReference(merged: 0, tensor: "blk.0.attn_q.weight", matrix: 0), rule: rule,
            readers: [reader],
            norm: norm
                ? BalanceWork.Norm(span: span(Self.channels, 1, at: normOffset), type: .bf16, addend: 0) : nil,
            memory: 1)
        guard case .balance(let result) = try await run(.balance(work), [0: .merge(merged)]) else {
            throw QuernError(.internalFault, "no balance")
        }
        return (result, ElementType.f32.values(try await bench.blobs.get(result.vector)))
    }

    private func encoded(_ spans: [Span], _ result: BalanceResult) async throws -> [[UInt8]] {
        let work = EncodeWork(files: [try file()], spans: spans, encoder: "test-1")
        guard case .encode(let made) = try await run(.encode(work), [7: .balance(result)]) else { return [] }
        var parts: [[UInt8]] = []
        for part in made.parts { parts.append(try await bench.blobs.get(part.digest)) }
        return parts
    }

    private func rescaled(_ kind: Rescaling.Kind, _ count: Int, type: ElementType, addend: Float = 0) -> EncodeOutput {
        EncodeOutput(
            type: type, rescalings: [Rescaling(item: 7, kind: kind, first: 0, count: count, addend: addend)])
    }

    @Test(arguments: [BalanceWork.Rule.search, .magnitudes])
    func theFunctionStays(_ rule: BalanceWork.Rule) async throws {
        let (result, vector) = try await balance(rule, .blocks(.q4_0))
        #expect(vector.count == Self.channels && vector[Self.loud] > 4 * vector[Self.loud + 1])
        let made = try await encoded(
            [
                span(
                    Self.channels, Self.rows, at: 0,
                    outputs: [EncodeOutput(type: .f32), rescaled(.inputs, Self.rows, type: .f32)]),
                span(Self.channels, 1, at: normOffset, outputs: [rescaled(.elements, Self.channels, type: .bf16)]),
            ], result)
        let (plain, weights, norm) = (
            ElementType.f32.values(made[0]), ElementType.f32.values(made[1]), ElementType.bf16.values(made[2])
        )
        // An output without rescalings is as if there were no others.
        #expect(plain == Self.weights)
        #expect(norm != Self.norm)
        for index in weights.indices {
            let column = index % Self.channels
            let before = Double(Self.weights[index]) * Double(Self.norm[column])
            let after = Double(weights[index]) * Double(norm[column])
            #expect(abs(after - before) <= 2e-7 * abs(before), "column \(column)")
        }
    }

    @Test(arguments: [
        PartEncoding.blocks(.q4_0),
        .component(
            .packed,
            QuantizedWeight(
                storage: WeightStorage(.packed(bits: 4, group: 32, isSymmetric: true)), source: .bf16, rows: 96,
                rounding: .init(searches: true))),
    ])
    func outputsChangeLess(_ encoding: PartEncoding) async throws {
        let (result, vector) = try await balance(.search, encoding, norm: false)
        let made = try await encoded(
            [
                span(
                    Self.channels, Self.rows, at: 0,
                    outputs: [EncodeOutput(type: .q4_0), rescaled(.inputs, Self.rows, type: .q4_0)])
            ], result)
        func loss(_ bytes: [UInt8], _ balance: [Float]) -> Double {
            ElementType.q4_0.values(bytes).enumerated().reduce(0) { sum, value in
                let column = value.offset % Self.channels
                let difference = Double(value.element / balance[column] - Self.weights[value.offset])
                return sum + difference * difference * Self.statistics.inputs[0].squares[column]
            }
        }
        let ones = [Float](repeating: 1, count: Self.channels)
        #expect(loss(made[1], vector) < 0.5 * loss(made[0], ones))
    }

    @Test func rowsAreDivided() async throws {
        let (result, vector) = try await balance(.magnitudes, .blocks(.q4_0), norm: false)
        let made = try await encoded(
            [span(Self.channels, Self.rows, at: 0, outputs: [rescaled(.outputs, Self.channels, type: .f32)])], result)
        let expected = Self.weights.enumerated().map { index, value in
            index / Self.channels < vector.count ? value / vector[index / Self.channels] : value
        }
        #expect(ElementType.f32.values(made[0]) == expected)
    }

    @Test func whatIsAddedIsNotDivided() async throws {
        let (result, vector) = try await balance(.magnitudes, .blocks(.q4_0), norm: false)
        let made = try await encoded(
            [
                span(
                    Self.channels, 1, at: normOffset,
                    outputs: [rescaled(.elements, Self.channels, type: .f32, addend: 1)])
            ],
            result)
        for (index, value) in ElementType.f32.values(made[0]).enumerated() {
            let expected = (Double(Self.norm[index]) + 1) / Double(vector[index]) - 1
            #expect(value == Float(expected))
        }
    }

    @Test func partsOfOtherBalancesAreOthers() async throws {
        let (first, _) = try await balance(.magnitudes, .blocks(.q4_0), norm: false)
        let (second, _) = try await balance(.search, .blocks(.q4_0), norm: false)
        let spans = [span(Self.channels, Self.rows, at: 0, outputs: [rescaled(.inputs, Self.rows, type: .q8_0)])]
        #expect(try await encoded(spans, first) != encoded(spans, second))
    }
}
