import QuernFormats
import QuernKernels
import Testing

/// The sums of `Kernels.error`, to the bit.
@Suite struct EncodingErrorTests {
    /// The documented order, spelled out.
    private func expectedSums(_ original: [Float], _ decoded: [Float], columns: Int) -> EncodingError {
        var sum = EncodingError()
        for row in stride(from: 0, to: original.count, by: columns) {
            var errors = [Double](repeating: 0, count: 16), norms = errors
            for column in 0..<columns {
                let value = Double(original[row + column])
                let difference = value - Double(decoded[row + column])
                errors[column % 16] += difference * difference
                norms[column % 16] += value * value
            }
            sum.squaredError += errors.reduce(0, +)
            sum.squaredNorm += norms.reduce(0, +)
        }
        return sum
    }

    private func sums(
        _ original: [Float], _ decoded: [Float], columns: Int, after preceding: EncodingError = EncodingError(),
        with set: InstructionSet
    ) -> EncodingError {
        original.withUnsafeBufferPointer { original in
            decoded.withUnsafeBufferPointer { decoded in
                Kernels.error(original: original, decoded: decoded, columns: columns, after: preceding, with: set)
            }
        }
    }

    @Test(arguments: [1, 15, 16, 17, 31, 32, 256, 1000, 4096])
    func sameSumsEverywhere(columns: Int) {
        var draw = OddRows(salt: 5000 + columns)
        let original = (0..<7 * columns).map { _ in draw.normal() }
        let decoded = original.map { $0 + draw.normal() * 0.01 }
        let expected = expectedSums(original, decoded, columns: columns)
        for set in InstructionSet.allCases {
            #expect(sums(original, decoded, columns: columns, with: set) == expected, "\(set), \(draw.seed)")
        }
    }

    @Test(arguments: InstructionSet.allCases)
    func doesNotDependOnHowRowsAreTaken(with set: InstructionSet) {
        var draw = OddRows(salt: 6000)
        let columns = 256
        let original = (0..<50 * columns).map { _ in draw.normal() * draw.powerOfTen(-3...3) }
        let decoded = original.map { $0 * 1.001 }
        let whole = sums(original, decoded, columns: columns, with: set)
        var row = 0
        var pieces = EncodingError()
        while row < 50 {
            let end = min(50, row + 1 + draw.integer(below: 9))
            pieces = sums(
                Array(original[row * columns..<end * columns]), Array(decoded[row * columns..<end * columns]),
                columns: columns, after: pieces, with: set)
            row = end
        }
        #expect(pieces == whole, "QUERN_TEST_SEED=\(draw.seed)")
    }

    @Test func knownValues() {
        let error = sums([3, 4, 0, 1], [3, 2, 1, 1], columns: 2, with: .best)
        #expect(error == EncodingError(squaredError: 5, squaredNorm: 26))
        #expect(sums([], [], columns: 8, after: error, with: .best) == error)
    }
}

@Suite struct NonFiniteTests {
    @Test(arguments: InstructionSet.allCases, [Float.infinity, -.infinity, .nan, .signalingNaN])
    func findsTheFirst(with set: InstructionSet, value: Float) {
        for position in [0, 1, 15, 16, 63, 64, 65, 127, 128, 199] {
            var values = [Float](repeating: -.greatestFiniteMagnitude, count: 200)
            values[position] = value
            values[199] = .nan
            #expect(values.withUnsafeBufferPointer { Kernels.firstNonFinite(in: $0, with: set) } == position)
        }
    }

    @Test(arguments: InstructionSet.allCases, [0, 1, 63, 64, 1000])
    func passesFiniteValues(with set: InstructionSet, count: Int) {
        let values = (0..<count).map { $0 % 3 == 0 ? Float.leastNonzeroMagnitude : -.greatestFiniteMagnitude }
        #expect(values.withUnsafeBufferPointer { Kernels.firstNonFinite(in: $0, with: set) } == nil)
    }
}
