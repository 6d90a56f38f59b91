import QuernModel
import TestSupport
import Testing

/// Products with packed weights against double precision.
@Suite struct PackedMatrixTests {
    @Test(
        arguments: [
            (1, 1, 1), (5, 7, 3), (16, 64, 33), (17, 200, 40), (513, 130, 24), (1100, 65, 17), (3, 1000, 3000),
        ], MatrixEngine.Precision.allCases)
    func products(_ shape: (rows: Int, outputs: Int, inputs: Int), _ precision: MatrixEngine.Precision) throws {
        guard precision == .single || MatrixEngine.hasBF16 else { return }
        let engine = try MatrixEngine(precision: precision)
        var random = SeededGenerator(seed: UInt64(shape.rows + shape.outputs))
        let padded = RowPadding.up(shape.rows)
        let input = (0..<padded * shape.inputs).map { _ in Float.random(in: -1...1, using: &random) }
        let weights = (0..<shape.outputs * shape.inputs).map { _ in Float.random(in: -1...1, using: &random) }
        let matrix = try PackedMatrix(outputs: shape.outputs, inputs: shape.inputs, areBF16: false, engine: engine)
        let workspace = Workspace()
        for rows in matrix.pieces.reversed() {
            var values = Array(weights[rows.lowerBound * shape.inputs..<rows.upperBound * shape.inputs])
            try values.withUnsafeMutableBufferPointer {
                try matrix.pack(rows, try #require($0.baseAddress), workspace)
            }
        }
        let from = FloatBuffer(input.count)
        from.base.update(from: input, count: input.count)
        let to = FloatBuffer(padded * shape.outputs)
        try matrix.multiply(from.base, rows: shape.rows, into: to.base, workspace)
        var worst = 0.0
        for row in 0..<shape.rows {
            for output in 0..<shape.outputs {
                let sum = (0..<shape.inputs).reduce(0.0) {
                    $0 + Double(input[row * shape.inputs + $1]) * Double(weights[output * shape.inputs + $1])
                }
                worst = max(worst, abs(sum - Double(to.base[row * shape.outputs + output])))
            }
        }
        #expect(worst < Self.bound(precision, inputs: shape.inputs))
    }

    /// How far sums of products of random numbers in −1...1 may be off, whatever the order of additions. One after the
    /// other in single precision they reach 0.4 of the first term; factors of 16 bits, however exactly added, 0.6 of the
    /// second.
    private static func bound(_ precision: MatrixEngine.Precision, inputs: Int) -> Double {
        let adding = Double(inputs) * 0x1p-23
        let splitting = Double(inputs).squareRoot() * 0x1p-17
        return precision == .single ? max(1e-5, adding) : max(1e-4, adding + splitting)
    }
}
