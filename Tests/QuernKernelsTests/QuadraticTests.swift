import QuernKernels
import Testing

/// Squares of outputs that rounding changes.
@Suite struct QuadraticTests {
    @Test(arguments: [1, 2, 31, 128, 300])
    func allInstructionSetsAddTheSame(_ count: Int) {
        var draw = OddRows(salt: 7700 + count)
        let lanes = Kernels.quadraticLanes
        let matrix = FitTests.gram(&draw, columns: count).map { Float($0) }
        let values = (0..<count * lanes).map { _ in draw.normal() * draw.powerOfTen(-3...1) }
        let start = (0..<lanes).map(Double.init)

        // Terms of each product in the order of the columns, single precision; then by rows in double precision.
        var expected = start
        for lane in 0..<lanes {
            for row in 0..<count {
                var product: Float = 0
                for column in 0..<count { product += matrix[column * count + row] * values[column * lanes + lane] }
                expected[lane] += Double(values[row * lanes + lane]) * Double(product)
            }
        }
        for set in InstructionSet.allCases {
            var sums = start
            var scratch = [Float](repeating: .nan, count: values.count)
            matrix.withUnsafeBufferPointer { matrix in
                values.withUnsafeBufferPointer { values in
                    scratch.withUnsafeMutableBufferPointer {
                        Kernels.addQuadratic(matrix: matrix, values: values, scratch: $0, to: &sums, with: set)
                    }
                }
            }
            #expect(sums == expected, "\(set), QUERN_TEST_SEED=\(draw.seed)")
        }
    }
}
