import QuernFormats
import QuernKernels
import TestSupport
import Testing

/// Numbers in the tensors of other layouts than compressed-tensors', place by place as their loaders read them.
@Suite struct WeightStorageTests {
    /// (storage, rows, columns)
    static let cases: [(WeightStorage, Int, Int)] = [
        (WeightStorage(.packed(bits: 4, group: 32, isSymmetric: false), layout: .awq), 24, 96),
        (WeightStorage(.packed(bits: 4, group: 128, isSymmetric: false), layout: .awq), 8, 128),
        (WeightStorage(.packed(bits: 4, group: 32, isSymmetric: true), layout: .gptq), 40, 64),
        (WeightStorage(.packed(bits: 4, group: nil, isSymmetric: true), layout: .gptq), 8, 48),
        (WeightStorage(.packed(bits: 8, group: 64, isSymmetric: true), layout: .gptq), 36, 128),
    ]

    private func random(_ storage: WeightStorage, _ rows: Int, _ columns: Int) -> [WeightComponent: [UInt8]] {
        var random = SeededGenerator(seed: UInt64(rows * columns))
        var numbers: [WeightComponent: [UInt8]] = [:]
        for component in storage.numbers.rowComponents {
            let shape = storage.numbers.shape(of: component, rows: rows, columns: columns)
            let count = shape.reduce(storage.numbers.type(of: component, source: .f16).bits / 8, *)
            numbers[component] = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        return numbers
    }

    /// Bits of the word at an index.
    private func field(_ bytes: [UInt8], word: Int, place: Int, bits: Int) -> Int {
        Int(bytes[4 * word + place * bits / 8] >> UInt8(place * bits % 8)) & (1 << bits - 1)
    }

    @Test(arguments: cases.indices) func everyNumberHasItsPlace(index: Int) throws {
        let (storage, rows, columns) = Self.cases[index]
        let numbers = random(storage, rows, columns)
        let stored = Kernels.stored(storage, numbers, rows: rows, columns: columns)
        let (packed, scales) = (try #require(numbers[.packed]), try #require(numbers[.scale]))
        let (weights, zeros) = (try #require(stored[.transposedWeight]), try #require(stored[.transposedZeroPoint]))
        let (perWord, group) = (storage.perWord, storage.numbers.group ?? columns)
        let bits = 32 / perWord
        // Outputs 0 to 7 of AutoAWQ's words, from the lowest bits on: 0 2 4 6 1 3 5 7.
        let places = [0, 4, 1, 5, 2, 6, 3, 7]
        for row in 0..<rows {
            for column in 0..<columns {
                let number = field(
                    packed, word: row * columns / perWord + column / perWord, place: column % perWord, bits: bits)
                let found =
                    storage.layout == .awq
                    ? field(weights, word: column * rows / 8 + row / 8, place: places[row % 8], bits: 4)
                    : field(weights, word: column / perWord * rows + row, place: column % perWord, bits: bits)
                try #require(found == number, "row \(row), column \(column)")
            }
            for place in 0..<columns / group {
                let word = place * rows / perWord + row / perWord
                if let zero = numbers[.zeroPoint] {
                    let number = field(zero, word: row / 8 * (columns / group) + place, place: row % 8, bits: 4)
                    #expect(field(zeros, word: word, place: places[row % 8], bits: 4) == number)
                } else {
                    #expect(field(zeros, word: word, place: row % perWord, bits: bits) == 1 << (bits - 1) - 1)
                }
                let scale = 2 * (row * (columns / group) + place)
                let transposed = 2 * (place * rows + row)
                #expect(stored[.transposedScale]?[transposed..<transposed + 2] == scales[scale..<scale + 2])
            }
        }
        for component in storage.components where component.hasRows {
            let shape = storage.shape(of: component, rows: rows, columns: columns)
            let type = storage.type(of: component, source: .bf16)
            #expect(stored[component]?.count == shape.reduce(type.bits / 8, *), "\(component)")
        }
        #expect(Kernels.numbers(storage, stored, rows: rows, columns: columns) == numbers)
    }

    /// Spans of so many rows become what the whole becomes.
    @Test(arguments: [64, 192, 320, 4096, 11_328]) func groupsOfMagnitudesEndWithSpans(columns: Int) {
        let storage = WeightStorage(.nf4, layout: .bitsandbytes)
        let multiple = storage.rowMultiple(columns: columns)
        #expect(multiple * columns / 64 % WeightStorage.nestedGroup == 0 && WeightStorage.spanRows % multiple == 0)
    }

    /// What is stored of magnitudes is near to them: codes are finest near zero.
    @Test func magnitudesSurvive() {
        var random = SeededGenerator(seed: 9)
        let magnitudes = (0..<700).map { _ in Float.random(in: 0.5...1.5, using: &random) }
        let (codes, scales) = DoubleQuantization.quantize(magnitudes, offset: 1, group: 256)
        #expect(codes.count == 700 && scales.count == 3)
        let read = DoubleQuantization.dequantize(codes, scales: scales, offset: 1, group: 256)
        // Half a step of the largest codes.
        for (magnitude, read) in zip(magnitudes, read) { #expect(abs(magnitude - read) <= 0.5 * 0.0142 / 2) }
        #expect(DoubleQuantization.quantize([2, 2, 2], offset: 2, group: 256).scales == [0])
    }
}
