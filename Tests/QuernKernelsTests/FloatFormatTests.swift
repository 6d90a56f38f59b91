import QuernFormats
import QuernKernels
import Testing

/// F16 and BF16, value by value.
@Suite struct FloatFormatTests {
    @Test(arguments: InstructionSet.allCases)
    func decodesEveryHalf(with set: InstructionSet) {
        let bytes = (0...UInt16.max).flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
        let values = decode(.f16, bytes, with: set)
        let wrong = (0...UInt16.max).first { half in
            let expected = Float(Float16(bitPattern: half))
            let value = values[Int(half)]
            return expected.isNaN ? !value.isNaN : value.bitPattern != expected.bitPattern
        }
        #expect(wrong == nil)
    }

    @Test(arguments: InstructionSet.allCases)
    func decodesEveryBrainFloat(with set: InstructionSet) {
        let bytes = (0...UInt16.max).flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
        let values = decode(.bf16, bytes, with: set)
        let wrong = (0...UInt16.max).first { values[Int($0)].bitPattern != UInt32($0) << 16 }
        #expect(wrong == nil)
    }

    /// Every half, the middle between it and the next, and the floats on both sides of that.
    @Test(arguments: Encoder.all)
    func roundsHalvesToNearestEven(with encoder: Encoder) {
        var values: [Float] = [], expected: [UInt16] = []
        for half in UInt16(0)..<0x7c00 {
            let low = Float(Float16(bitPattern: half))
            let high = half == 0x7bff ? 65536 : Float(Float16(bitPattern: half + 1))
            let middle = (low + high) / 2
            values += [low, middle.nextDown, middle, middle.nextUp]
            expected += [half, half, half % 2 == 0 ? half : half + 1, half + 1]
        }
        values += values.map { -$0 }
        expected += expected.map { $0 | 0x8000 }
        values += [.infinity, -.infinity, .nan, -.nan, 1e38, .leastNonzeroMagnitude]
        expected += [0x7c00, 0xfc00, 0x7e00, 0xfe00, 0x7c00, 0]
        let bytes = encoder.encode(.f16, rows: values, columns: values.count, importance: nil)
        let wrong = expected.indices.first {
            UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 != expected[$0]
        }
        #expect(wrong == nil)
    }

    @Test(arguments: Encoder.all)
    func roundsBrainFloatsToNearestEven(with encoder: Encoder) {
        let cases: [(UInt32, UInt16)] = [
            (0x3f80_0000, 0x3f80), (0x3f80_7fff, 0x3f80), (0x3f80_8000, 0x3f80), (0x3f80_8001, 0x3f81),
            (0x3f81_8000, 0x3f82), (0x7f7f_ffff, 0x7f80), (0xff80_0000, 0xff80), (0x0000_8000, 0), (0x0001_8000, 2),
            (0x7f80_0001, 0x7fc0), (0x7fc0_1234, 0x7fc0), (0xffff_ffff, 0xffff), (0x8000_0000, 0x8000),
        ]
        let values = cases.map { Float(bitPattern: $0.0) }
        let bytes = encoder.encode(.bf16, rows: values, columns: values.count, importance: nil)
        let shorts = cases.indices.map { UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 }
        #expect(shorts == cases.map(\.1))
    }

    /// Counts that are not whole vectors.
    @Test(arguments: [ElementType.f16, .bf16, .f32], 1...33)
    func anyCount(_ type: ElementType, count: Int) {
        let values = (0..<count).map { Float($0) * 0.37 - 3 }
        let expected = Encoder.reference.encode(type, rows: values, columns: count, importance: nil)
        for set in InstructionSet.allCases {
            let bytes = Encoder.lanes(set).encode(type, rows: values, columns: count, importance: nil)
            #expect(bytes == expected)
            #expect(decode(type, bytes, with: set).count == count)
        }
    }
}
