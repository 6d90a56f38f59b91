import QuernFormats
import QuernKernels
import Testing

/// The bytes of llm-compressor.
@Suite struct WeightFixtureTests {
    @Test(arguments: WeightFixture.formats.keys.sorted(), WeightFixture.sources)
    func quantizes(_ name: String, source: SafetensorsType) throws {
        let format = try #require(WeightFixture.formats[name])
        let matrices = try WeightFixture(name, source: source).matrices
        #expect(matrices.count >= 2)
        for matrix in matrices {
            for encoder in Encoder.all {
                let components = encoder.quantize(
                    format, source: source, rows: matrix.rows, columns: matrix.columns,
                    globalScale: matrix.globalScale)
                let difference = firstDifference(components, matrix.components)
                #expect(difference == nil, "\(encoder), \(matrix.name)")
            }
        }
    }

    /// Half precision is left out where llm-compressor finds no scale and stores 1.
    @Test(arguments: WeightFixture.sources)
    func findsGlobalScales(source: SafetensorsType) throws {
        for matrix in try WeightFixture("nvfp4", source: source).matrices {
            for set in InstructionSet.allCases {
                let largest = matrix.rows.withUnsafeBufferPointer { Kernels.largestMagnitude(of: $0, with: set) }
                #expect(Kernels.globalScale(largest: largest, source: source) == matrix.globalScale, "\(matrix.name)")
            }
        }
    }

    @Test(arguments: [
        (Float(0.03), SafetensorsType.bf16, Float(89600)), (0.03, .f32, 89600.0078125), (3, .f32, 896), (3, .f16, 896),
        // 1/0.03 · 2688 is beyond half precision.
        (Float(Float16(0.03)), .f16, 2688 * (1 / Float(Float16(0.03)))), (0, .f16, 1), (0, .bf16, 1), (0, .f32, 1),
        (0x1p-130, .f32, 1), (0x1p-130, .bf16, 1),
    ])
    func globalScales(_ largest: Float, source: SafetensorsType, expected: Float) {
        #expect(Kernels.globalScale(largest: largest, source: source) == expected)
    }

    /// The nearest values of E2M1 under a scale of one; halfway, the even code.
    @Test(arguments: Encoder.all)
    func roundsHalvesToEvenCodes(with encoder: Encoder) {
        let cases: [(Float, UInt8)] = [
            (6, 7), (0.25, 0), (Float(0.25).nextUp, 1), (0.5, 1), (0.75, 2), (Float(0.75).nextDown, 1), (1.25, 2),
            (1.75, 4), (2.5, 4), (3.5, 6), (5, 6), (Float(5).nextUp, 7), (-0.0, 0), (-0.25, 8), (-0.75, 10), (-6, 15),
        ]
        let rows = cases.map(\.0) + [Float](repeating: 0, count: 16)
        let components = encoder.quantize(.mxfp4, source: .f32, rows: rows, columns: 32, globalScale: nil)
        #expect(components[.scale] == [127])
        let codes = components[.packed]?.flatMap { [$0 & 15, $0 >> 4] }
        #expect(codes.map { Array($0.prefix(16)) } == cases.map(\.1))
    }
}
