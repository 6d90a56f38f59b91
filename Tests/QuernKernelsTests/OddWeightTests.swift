import QuernFormats
import QuernKernels
import Testing

/// Every build of the kernels writes what the plain Swift reference writes.
@Suite struct OddWeightTests {
    static let formats: [WeightFormat] =
        [32, 64, 128, nil].flatMap { group in
            [4, 8].flatMap { bits in
                [true, false].map { .packed(bits: bits, group: group, isSymmetric: $0) }
            }
        } + [.integer, .float, .floatBlocks, .nvfp4, .mxfp4, .nf4, .absmax8]

    /// Those whose scales can be searched.
    static let fitted = formats.filter { ![.nf4, .absmax8].contains($0) }

    /// Rows that are numbers of the type.
    private static func rows(
        _ draw: inout OddRows, _ count: Int, columns: Int, source: SafetensorsType
    ) -> [Float] {
        let rows = (0..<count).flatMap { _ in draw.row((columns + 31) / 32 * 32).prefix(columns) }
        switch source {
        case .f16: return rows.map { Float(Float16(max(min($0, 65504), -65504))) }
        case .bf16: return rows.map { Float(bitPattern: $0.bitPattern & 0xffff_0000) }
        default: return rows
        }
    }

    @Test(arguments: formats, WeightFixture.sources)
    func kernelsAgreeWithTheReference(_ format: WeightFormat, source: SafetensorsType) {
        var draw = OddRows(salt: 5000 + source.rawValue.count * 100 + (Self.formats.firstIndex(of: format) ?? 0))
        for round in 0..<4 {
            let isWhole = format.group != nil && format != .floatBlocks
            let columns = isWhole ? 128 * (1 + draw.integer(below: 4)) : 1 + draw.integer(below: 400)
            let count = round == 0 && format == .floatBlocks ? 131 : 1 + draw.integer(below: 11)
            let rows = Self.rows(&draw, count, columns: columns, source: source)
            let globalScale = format == .nvfp4 ? draw.powerOfTen(-3...6) : nil
            let expected = Encoder.reference.quantize(
                format, source: source, rows: rows, columns: columns, globalScale: globalScale)
            let values = Encoder.reference.dequantize(
                format, source: source, components: expected, rows: count, columns: columns, globalScale: globalScale)
            for set in InstructionSet.allCases {
                let encoder = Encoder.lanes(set)
                let components = encoder.quantize(
                    format, source: source, rows: rows, columns: columns, globalScale: globalScale)
                let difference = firstDifference(components, expected)
                #expect(difference == nil, "\(set), \(count) × \(columns), QUERN_TEST_SEED=\(draw.seed)")
                let decoded = encoder.dequantize(
                    format, source: source, components: expected, rows: count, columns: columns,
                    globalScale: globalScale)
                let wrong = zip(bits(decoded), bits(values)).enumerated().first { $1.0 != $1.1 }?.offset
                #expect(wrong == nil, "\(set), \(count) × \(columns), QUERN_TEST_SEED=\(draw.seed)")
            }
        }
    }

    /// A tensor in spans of `rowMultiple` rows gets the bytes that it gets in one piece.
    @Test(arguments: formats)
    func spansJoin(_ format: WeightFormat) {
        var draw = OddRows(salt: 6000)
        let columns = 128, count = format.rowMultiple * 2 + 3
        let rows = Self.rows(&draw, count, columns: columns, source: .bf16)
        let globalScale: Float? = format == .nvfp4 ? 1000 : nil
        for set in InstructionSet.allCases {
            func quantize(_ rows: [Float]) -> [WeightComponent: [UInt8]] {
                Encoder.lanes(set).quantize(
                    format, source: .bf16, rows: rows, columns: columns, globalScale: globalScale)
            }
            var joined: [WeightComponent: [UInt8]] = [:]
            for start in stride(from: 0, to: count, by: format.rowMultiple) {
                let span = rows[start * columns..<min(start + format.rowMultiple, count) * columns]
                joined.merge(quantize(Array(span))) { $0 + $1 }
            }
            #expect(firstDifference(joined, quantize(rows)) == nil, "\(set), QUERN_TEST_SEED=\(draw.seed)")
        }
    }

    /// Infinities and NaN have no meaning in these formats, but must not hurt.
    @Test(arguments: formats)
    func survivesWhatIsNotFinite(_ format: WeightFormat) {
        var draw = OddRows(salt: 7000)
        var rows = Self.rows(&draw, 4, columns: 256, source: .f32)
        for value in [Float.infinity, -.infinity, .nan, .signalingNaN, .greatestFiniteMagnitude] {
            rows[draw.integer(below: rows.count)] = value
        }
        let globalScale: Float? = format == .nvfp4 ? 1 : nil
        for set in InstructionSet.allCases {
            let components = Encoder.lanes(set).quantize(
                format, source: .f32, rows: rows, columns: 256, globalScale: globalScale)
            #expect(components[.scale] != nil)
        }
    }

    /// Normal values keep the most of themselves.
    @Test(arguments: formats)
    func decodesCloseToWhatItWas(_ format: WeightFormat) {
        var draw = OddRows(salt: 8000)
        let rows = (0..<2048).map { _ in draw.normal() }
        let globalScale =
            format == .nvfp4
            ? rows.withUnsafeBufferPointer {
                Kernels.globalScale(largest: Kernels.largestMagnitude(of: $0), source: .f32)
            } : nil
        let encoder = Encoder.lanes(.best)
        let components = encoder.quantize(format, source: .f32, rows: rows, columns: 256, globalScale: globalScale)
        let values = encoder.dequantize(
            format, source: .f32, components: components, rows: 8, columns: 256, globalScale: globalScale)
        let error = zip(rows, values).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let norm = rows.reduce(0) { $0 + $1 * $1 }
        let isFourBits = components[.packed].map { $0.count == 1024 } ?? false
        #expect(error < norm * (isFourBits ? 0.02 : 0.001), "QUERN_TEST_SEED=\(draw.seed)")
    }

    @Test(arguments: InstructionSet.allCases, [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 100])
    func findsTheLargestMagnitude(with set: InstructionSet, count: Int) {
        for place in 0..<count {
            for value: Float in [3, -3] {
                var values = [Float](repeating: -1, count: count)
                values[place] = value
                #expect(values.withUnsafeBufferPointer { Kernels.largestMagnitude(of: $0, with: set) } == 3)
            }
        }
        #expect([Float]().withUnsafeBufferPointer { Kernels.largestMagnitude(of: $0, with: set) } == 0)
    }
}
